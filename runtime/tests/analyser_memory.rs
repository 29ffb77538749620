//! The memory that an analyser states before an analysis is enough for it, and not several times too much.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use bloodseg::memory::counting::{Counting, heap, restart_peak};
use bloodseg_smear::SmearSpec;
use bloodseg_vision::{
    analyser::{Analyser, Options},
    model::{golden, store::Models},
};
use image::RgbImage;

#[global_allocator]
static HEAP: Counting = Counting;

/// Largest accepted ratio of stated to needed bytes if the analysed size is known. The worst case is one tile with two
/// threads, because the second thread is only started for several tiles: 1.57 with AVX2, and 1.68 with VNNI, whose
/// weights are smaller.
const MOST_TIMES: f64 = 1.8;

/// Noise has more cells than any smear, so it takes the most memory for a size.
fn noise(width: u32, height: u32) -> RgbImage {
    RgbImage::from_raw(width, height, golden::input(5, 3 * (width * height) as usize)).unwrap()
}

/// Peak bytes of an analyser from its creation to its second analysis, without those of loading.
fn needed(models: &Models, options: Options, picture: &RgbImage) -> (u64, u64) {
    let before = heap().unwrap().live_bytes;
    let mut analyser = Analyser::new(models, options).unwrap();
    let stated = analyser.memory_bytes(picture.width(), picture.height());
    restart_peak();
    for _ in 0..2 {
        // More cells than labels is an error, but only after all memory was allocated.
        let _ = analyser.analyse(picture);
    }
    (stated, (heap().unwrap().peak_bytes - before) as u64)
}

fn main() {
    let models = Models::embedded().unwrap();
    let pitch = models.unet.manifest.pitch.um_per_px;
    let any = Options::default().any_quality();
    let mut wrong = Vec::new();
    let mut hold = |what: String, (stated, bytes): (u64, u64), most_times: f64| {
        eprintln!("{what}: {stated} bytes stated, {bytes} needed");
        if bytes > stated || stated as f64 > most_times * bytes as f64 {
            wrong.push(what);
        }
    };
    for (width, height) in [(64, 64), (130, 70), (400, 300), (900, 40), (40, 900)] {
        let picture = noise(width, height);
        for threads in [1, 2] {
            let what = format!("{width}x{height} as it is, {threads} threads");
            hold(what, needed(&models, any.as_is().threads(threads), &picture), MOST_TIMES);
        }
        for factor in [0.6, 3.0] {
            let what = format!("{width}x{height}, {factor} pixels per analysed one");
            hold(what, needed(&models, any.um_per_px(pitch / factor), &picture), MOST_TIMES);
        }
    }
    for (seed, scale) in [(1, 0.5), (2, 0.2)] {
        let spec = SmearSpec { scale, ..SmearSpec::varied(640, 480, seed) };
        let picture = bloodseg_smear::render(&spec, seed).picture;
        // The cells could be so small that the picture is enlarged.
        let free = needed(&models, Options::default(), &picture);
        hold("640x480 measured".into(), free, f64::INFINITY);
        let most_bytes = free.0 / 2;
        let limited = needed(&models, Options::default().most_bytes(most_bytes), &picture);
        assert!(limited.0 <= most_bytes);
        hold("640x480 measured within a limit".into(), limited, f64::INFINITY);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
