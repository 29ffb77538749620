//! See `bloodseg::foreign::onnx`.
#![no_main]

// A panic that the engine catches counts as a rejection; one that it does not catch still ends the run.
libfuzzer_sys::fuzz_target!(init: drop(std::panic::take_hook()), |bytes: &[u8]| {
    bloodseg::foreign::onnx::meet(bytes);
});
