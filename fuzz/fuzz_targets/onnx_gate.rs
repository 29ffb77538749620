//! See `bloodseg::foreign::onnx_gate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bloodseg::foreign::onnx_gate::meet(bytes);
});
