//! Streams of multi-planar V4L2 devices, whose frames `linuxvideo` does not read.
//!
//! Such a device describes every frame as a list of memory planes. This file reads formats with one plane, which are all
//! of [`Layout`](super::layout::Layout); the plane is then laid out as a frame of a single-planar device. Enumeration and
//! controls are the same for both, and stay with `linuxvideo`.
//!
//! The structures and numbers are those of the kernel's `videodev2.h`. What a driver reports is checked before memory
//! is read: impossible values are errors.

// The kernel reads and writes the structures through pointers, and the frames are memory that it shares. Nothing else
// in this file is unsafe, and no caller has to uphold a contract.
#![allow(unsafe_code)]

use std::{
    io,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    ptr::{NonNull, null_mut},
    slice,
};

use rustix::{
    ioctl::{Opcode, Setter, Updater, ioctl, opcode},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

use super::RawFrame;
use crate::camera::limits::{CAMERA_BUFFERS, MAX_CAMERA_BUFFERS};

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE`.
const CAPTURE: u32 = 9;
/// `V4L2_MEMORY_MMAP`.
const MAPPED: u32 = 1;
/// `VIDEO_MAX_PLANES`.
const MAX_PLANES: usize = 8;
/// `V4L2_BUF_FLAG_ERROR`.
const DAMAGED: u32 = 0x40;
/// `V4L2_CAP_TIMEPERFRAME`.
const TIME_PER_FRAME: u32 = 0x1000;

const S_FMT: Opcode = opcode::read_write::<FormatArgument>(b'V', 5);
const REQBUFS: Opcode = opcode::read_write::<RequestBuffers>(b'V', 8);
const QUERYBUF: Opcode = opcode::read_write::<Buffer>(b'V', 9);
const QBUF: Opcode = opcode::read_write::<Buffer>(b'V', 15);
const DQBUF: Opcode = opcode::read_write::<Buffer>(b'V', 17);
const STREAMON: Opcode = opcode::write::<i32>(b'V', 18);
const STREAMOFF: Opcode = opcode::write::<i32>(b'V', 19);
const S_PARM: Opcode = opcode::read_write::<StreamParameters>(b'V', 22);

/// `v4l2_plane_pix_format`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct PlaneFormat {
    size_image: u32,
    bytes_per_line: u32,
    reserved: [u16; 6],
}

/// `v4l2_pix_format_mplane`.
#[repr(C)]
#[derive(Debug, Default)]
struct PixelFormat {
    width: u32,
    height: u32,
    fourcc: u32,
    field: u32,
    colorspace: u32,
    planes: [PlaneFormat; MAX_PLANES],
    num_planes: u8,
    flags: u8,
    ycbcr_enc: u8,
    quantization: u8,
    xfer_func: u8,
    reserved: [u8; 7],
}

/// `v4l2_format`.
#[repr(C)]
#[derive(Debug, Default)]
struct FormatArgument {
    kind: u32,
    /// The kernel's union has members with pointers, and their alignment.
    aligned: [usize; 0],
    pixels: PixelFormat,
    /// The union has 200 bytes.
    rest: [u8; 200 - size_of::<PixelFormat>()],
}

/// `v4l2_requestbuffers`.
#[repr(C)]
#[derive(Debug, Default)]
struct RequestBuffers {
    count: u32,
    kind: u32,
    memory: u32,
    capabilities: u32,
    flags: u32,
}

/// `v4l2_plane`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Plane {
    bytes_used: u32,
    length: u32,
    mem_offset: u32,
    /// `mem_offset` is in a union with a pointer.
    rest: [u32; size_of::<usize>() / 4 - 1],
    data_offset: u32,
    reserved: [u32; 11],
}

/// `v4l2_buffer`.
#[repr(C)]
#[derive(Debug)]
struct Buffer {
    index: u32,
    kind: u32,
    bytes_used: u32,
    flags: u32,
    field: u32,
    /// Seconds and microseconds: 64 bits on 32-bit processors too, which Linux knows since 5.6.
    timestamp: [i64; 2],
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    planes: *mut Plane,
    /// Length of `planes`; the kernel returns how many are used.
    length: u32,
    reserved2: u32,
    request_fd: i32,
}

/// `v4l2_streamparm` with `v4l2_captureparm`.
#[repr(C)]
#[derive(Debug)]
struct StreamParameters {
    kind: u32,
    capability: u32,
    capture_mode: u32,
    /// Seconds per frame: numerator and denominator.
    time_per_frame: [u32; 2],
    extended_mode: u32,
    read_buffers: u32,
    reserved: [u32; 4],
    /// The kernel's union has 200 bytes.
    rest: [u32; 40],
}

// A structure of another size has another opcode, which the kernel does not know. (On 32-bit x86 the kernel too aligns
// 64-bit numbers to 4 bytes.)
#[cfg(not(target_arch = "x86"))]
const _: () = {
    use std::mem::offset_of;

    let wide = size_of::<usize>() == 8;
    assert!(size_of::<PlaneFormat>() == 20);
    assert!(size_of::<PixelFormat>() == 192);
    assert!(offset_of!(PixelFormat, num_planes) == 180);
    assert!(size_of::<FormatArgument>() == if wide { 208 } else { 204 });
    assert!(offset_of!(FormatArgument, pixels) == if wide { 8 } else { 4 });
    assert!(size_of::<RequestBuffers>() == 20);
    assert!(size_of::<Plane>() == if wide { 64 } else { 60 });
    assert!(offset_of!(Plane, data_offset) == if wide { 16 } else { 12 });
    assert!(size_of::<Buffer>() == if wide { 88 } else { 80 });
    assert!(offset_of!(Buffer, timestamp) == 24);
    assert!(offset_of!(Buffer, planes) == 64);
    assert!(offset_of!(Buffer, length) == if wide { 72 } else { 68 });
    assert!(size_of::<StreamParameters>() == 204);
};

/// The format that a driver grants; its numbers are those of V4L2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) fourcc: [u8; 4],
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    /// Memory planes of a frame.
    pub(super) planes: u8,
    /// Bytes from one row to the next, in the first plane.
    pub(super) stride_bytes: u32,
    /// Most bytes of the first plane.
    pub(super) most_bytes: u32,
    pub(super) colorspace: u32,
    pub(super) quantization: u8,
}

/// Asks for a format and a size in pixels; the driver may grant another.
pub(super) fn set_format(device: BorrowedFd<'_>, fourcc: [u8; 4], (width, height): (u32, u32)) -> io::Result<Granted> {
    let pixels =
        PixelFormat { width, height, fourcc: u32::from_le_bytes(fourcc), num_planes: 1, ..PixelFormat::default() };
    let mut format = FormatArgument { kind: CAPTURE, pixels, ..FormatArgument::default() };
    // SAFETY: the argument of S_FMT is a `v4l2_format`, which holds no pointer for this kind.
    unsafe { ioctl(device, Updater::<S_FMT, FormatArgument>::new(&mut format)) }?;
    let granted = format.pixels;
    Ok(Granted {
        fourcc: granted.fourcc.to_le_bytes(),
        width_px: granted.width,
        height_px: granted.height,
        planes: granted.num_planes,
        stride_bytes: granted.planes[0].bytes_per_line,
        most_bytes: granted.planes[0].size_image,
        colorspace: granted.colorspace,
        quantization: granted.quantization,
    })
}

/// Asks for a frame every `numerator / denominator` seconds; returns what the driver grants.
pub(super) fn set_frame_interval(device: BorrowedFd<'_>, interval: [u32; 2]) -> io::Result<[u32; 2]> {
    let mut parameters = StreamParameters {
        kind: CAPTURE,
        capability: TIME_PER_FRAME,
        capture_mode: 0,
        time_per_frame: interval,
        extended_mode: 0,
        read_buffers: 0,
        reserved: [0; 4],
        rest: [0; 40],
    };
    // SAFETY: the argument of S_PARM is a `v4l2_streamparm`, which holds no pointer.
    unsafe { ioctl(device, Updater::<S_PARM, StreamParameters>::new(&mut parameters)) }?;
    Ok(parameters.time_per_frame)
}

/// Returns how many buffers the driver allocates.
fn request_buffers(device: BorrowedFd<'_>, count: u32) -> io::Result<u32> {
    let mut request = RequestBuffers { count, kind: CAPTURE, memory: MAPPED, ..RequestBuffers::default() };
    // SAFETY: the argument of REQBUFS is a `v4l2_requestbuffers`, which holds no pointer.
    unsafe { ioctl(device, Updater::<REQBUFS, RequestBuffers>::new(&mut request)) }?;
    Ok(request.count)
}

/// What a driver reports about a buffer.
#[derive(Debug, Clone, Copy, Default)]
struct Report {
    index: u32,
    flags: u32,
    /// Memory planes.
    planes: u32,
    /// The first of them.
    plane: Plane,
}

/// QUERYBUF, QBUF or DQBUF, which takes any buffer.
fn exchange<const OPCODE: Opcode>(device: BorrowedFd<'_>, index: u32) -> io::Result<Report> {
    const { assert!(OPCODE == QUERYBUF || OPCODE == QBUF || OPCODE == DQBUF) };
    let mut planes = [Plane::default(); MAX_PLANES];
    let mut buffer = Buffer {
        index,
        kind: CAPTURE,
        bytes_used: 0,
        flags: 0,
        field: 0,
        timestamp: [0; 2],
        timecode: [0; 4],
        sequence: 0,
        memory: MAPPED,
        planes: planes.as_mut_ptr(),
        length: MAX_PLANES as u32,
        reserved2: 0,
        request_fd: 0,
    };
    // SAFETY: the argument of these three is a `v4l2_buffer`. For this kind it points to `length` planes, which the kernel
    // reads and writes during the call only; `planes` is that long and outlives it.
    unsafe { ioctl(device, Updater::<OPCODE, Buffer>::new(&mut buffer)) }?;
    Ok(Report { index: buffer.index, flags: buffer.flags, planes: buffer.length, plane: planes[0] })
}

/// STREAMON or STREAMOFF.
fn switch<const OPCODE: Opcode>(device: BorrowedFd<'_>) -> io::Result<()> {
    const { assert!(OPCODE == STREAMON || OPCODE == STREAMOFF) };
    // SAFETY: the argument of both points to an `int`, the kind of buffer, which the kernel only reads.
    Ok(unsafe { ioctl(device, Setter::<OPCODE, i32>::new(CAPTURE as i32)) }?)
}

/// A buffer of the driver, mapped into our memory.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and has one owner.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(device: BorrowedFd<'_>, report: &Report) -> io::Result<Self> {
        check_planes(report)?;
        // A slice cannot have more than `isize::MAX` bytes, which a plane can on a 32-bit processor.
        let bytes = isize::try_from(report.plane.length).ok().and_then(|bytes| usize::try_from(bytes).ok());
        let bytes = bytes.filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or_else(|| broken(format!("the driver has buffers of {} bytes", report.plane.length)))?;
        let offset = u64::from(report.plane.mem_offset);
        // SAFETY: the kernel chooses the address, so that no other memory is replaced.
        let start = unsafe { mmap(null_mut(), bytes, ProtFlags::READ, MapFlags::SHARED, device, offset) }?;
        let start =
            NonNull::new(start.cast()).ok_or_else(|| broken("the driver maps its buffer to address 0".into()))?;
        Ok(Self { start, bytes })
    }

    /// The bytes in this range; empty if the buffer does not have all of them.
    fn read(&self, filled: Range<usize>) -> &[u8] {
        // SAFETY: `start` and `bytes` are those of a mapping that can be read, and that ends when `self` does. What the
        // kernel maps is initialised, and any byte is a valid `u8`. The buffer is dequeued: its driver leaves it alone
        // until it is queued again, which needs the stream that the slice borrows.
        let all = unsafe { slice::from_raw_parts(self.start.as_ptr(), self.bytes) };
        all.get(filled).unwrap_or_default()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the whole of one mapping, and no slice of it outlives `self`.
        if let Err(e) = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) } {
            log::warn!("camera: cannot unmap a buffer: {e}");
        }
    }
}

/// A running stream of a multi-planar device.
#[derive(Debug)]
pub(super) struct Stream {
    buffers: Vec<Mapping>,
    device: OwnedFd,
}

impl Stream {
    /// Starts the stream of a device whose format is set.
    pub(super) fn start(device: OwnedFd) -> io::Result<Self> {
        let file = device.as_fd();
        // A driver may need more buffers than are asked for before it captures.
        let count = request_buffers(file, CAMERA_BUFFERS)?;
        if !(1..=MAX_CAMERA_BUFFERS).contains(&count) {
            return Err(broken(format!("the driver has {count} buffers, expected 1 to {MAX_CAMERA_BUFFERS}")));
        }
        let buffers = (0..count).map(|index| Mapping::new(file, &exchange::<QUERYBUF>(file, index)?));
        let buffers = buffers.collect::<io::Result<Vec<_>>>()?;
        for index in 0..count {
            exchange::<QBUF>(file, index)?;
        }
        switch::<STREAMON>(file)?;
        Ok(Self { buffers, device })
    }

    /// Passes the next frame to `take` and returns its buffer to the driver.
    ///
    /// # Errors
    /// `WouldBlock` without a frame, if the file is non-blocking. What the driver reports, and `InvalidData` if that is
    /// impossible: the stream is then unusable.
    pub(super) fn dequeue(&mut self, take: impl FnOnce(RawFrame<'_>)) -> io::Result<()> {
        let file = self.device.as_fd();
        let report = exchange::<DQBUF>(file, 0)?;
        let buffer = usize::try_from(report.index).ok().and_then(|index| self.buffers.get(index));
        let buffer = buffer
            .ok_or_else(|| broken(format!("the driver filled buffer {} of {}", report.index, self.buffers.len())))?;
        match filled(&report, buffer.bytes)? {
            Some(filled) => take(RawFrame { bytes: buffer.read(filled), damaged: false }),
            None => take(RawFrame { bytes: &[], damaged: true }),
        }
        exchange::<QBUF>(file, report.index)?;
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Fails on a device that is gone, whose stream has ended.
        let _ = switch::<STREAMOFF>(self.device.as_fd());
    }
}

fn broken(found: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, found)
}

fn check_planes(report: &Report) -> io::Result<()> {
    if report.planes == 1 {
        return Ok(());
    }
    Err(broken(format!("the driver has buffers of {} memory planes, expected 1", report.planes)))
}

/// The bytes of a frame within a buffer of `most_bytes`; `None` if the driver flagged it as damaged, which makes its
/// sizes meaningless.
fn filled(report: &Report, most_bytes: usize) -> io::Result<Option<Range<usize>>> {
    check_planes(report)?;
    if report.flags & DAMAGED != 0 {
        return Ok(None);
    }
    // V4L2 counts what precedes the frame in its plane as used.
    let Plane { bytes_used: end, data_offset: start, .. } = report.plane;
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    match range {
        Some((start, end)) if start <= end && end <= most_bytes => Ok(Some(start..end)),
        _ => Err(broken(format!("the driver reports a frame at bytes {start} to {end} of a buffer of {most_bytes}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::fs::File;

    use proptest::prelude::*;

    use super::*;

    fn report(planes: u32, flags: u32, bytes_used: u32, data_offset: u32) -> Report {
        Report { index: 0, flags, planes, plane: Plane { bytes_used, data_offset, ..Plane::default() } }
    }

    /// As a C compiler gives them on x86_64 and aarch64.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn opcodes_match_kernel() {
        let ours = [S_FMT, REQBUFS, QUERYBUF, QBUF, DQBUF, STREAMON, STREAMOFF, S_PARM];
        let kernel =
            [0xc0d0_5605, 0xc014_5608, 0xc058_5609, 0xc058_560f, 0xc058_5611, 0x4004_5612, 0x4004_5613, 0xc0cc_5616];
        assert_eq!(ours, kernel);
    }

    #[test]
    fn filled_bytes_of_valid_and_damaged_frames() {
        assert_eq!(filled(&report(1, 0, 8, 0), 8).unwrap(), Some(0..8));
        assert_eq!(filled(&report(1, 0, 8, 3), 9).unwrap(), Some(3..8));
        assert_eq!(filled(&report(1, 0, 0, 0), 8).unwrap(), Some(0..0));
        // A damaged frame is not an error of the stream, whatever its sizes are.
        assert_eq!(filled(&report(1, DAMAGED, 99, 100), 8).unwrap(), None);
    }

    #[test]
    fn impossible_driver_report_is_an_error() {
        let found = |report, most| filled(&report, most).unwrap_err().to_string();
        assert!(found(report(1, 0, 9, 0), 8).contains("0 to 9 of a buffer of 8"));
        assert!(found(report(1, 0, 8, 9), 8).contains("9 to 8"));
        assert!(found(report(1, 0, u32::MAX, u32::MAX), 8).contains("4294967295"));
        assert!(found(report(0, 0, 8, 0), 8).contains("0 memory planes"));
        assert!(found(report(2, DAMAGED, 8, 0), 8).contains("2 memory planes"));
    }

    proptest! {
        #[test]
        fn filled_range_never_exceeds_buffer(
            planes in 0..3_u32, flags: u32, used: u32, offset: u32, most in 0..1_usize << 33,
        ) {
            if let Ok(Some(range)) = filled(&report(planes, flags, used, offset), most) {
                prop_assert!(range.start <= range.end && range.end <= most);
            }
        }
    }

    #[test]
    fn buffer_reads_stay_within_bounds() {
        use std::io::Write;

        // A file stands in for the device: it can be mapped too.
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let of = |planes, length| Report { planes, plane: Plane { length, ..Plane::default() }, ..Report::default() };
        let mapping = Mapping::new(file.as_fd(), &of(1, 10)).unwrap();
        assert_eq!(mapping.read(2..5), b"234");
        assert_eq!(mapping.read(0..10), b"0123456789");
        assert!(mapping.read(0..11).is_empty() && mapping.read(11..12).is_empty());
        for absurd in [of(1, 0), of(0, 10), of(2, 10)] {
            assert_eq!(Mapping::new(file.as_fd(), &absurd).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn non_camera_device_is_an_error() {
        let null = || File::open("/dev/null").unwrap();
        assert!(set_format(null().as_fd(), *b"YUYV", (64, 64)).is_err());
        assert!(set_frame_interval(null().as_fd(), [1, 30]).is_err());
        assert!(Stream::start(null().into()).is_err());
        let mut stream = Stream { buffers: Vec::new(), device: null().into() };
        assert!(stream.dequeue(|_| panic!("a frame")).is_err());
    }
}
