//! See `bloodseg::foreign::onnx`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::onnx::meet(bytes);
});
