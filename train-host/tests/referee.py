"""Checks an ONNX file with onnx.checker and runs it in onnxruntime.

referee.py MODEL INPUT OUTPUT   u8 bytes in and out; the shapes come from the graph
"""
import sys

import numpy as np
import onnx
import onnxruntime

model, source, target = sys.argv[1:]
onnx.checker.check_model(model, full_check=True)
outputs = []
for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (edge,) = session.get_inputs()
    values = np.fromfile(source, dtype=np.uint8).reshape(edge.shape)
    (output,) = session.run(None, {edge.name: values})
    assert output.dtype == np.uint8, output.dtype
    outputs.append(output)
assert np.array_equal(*outputs), "onnxruntime's own optimisations change the output"
outputs[0].tofile(target)
