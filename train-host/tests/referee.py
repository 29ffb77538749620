"""Checks an ONNX file with onnx.checker and runs it in onnxruntime.

referee.py MODEL INPUT OUTPUT TOLERANCE   u8 bytes in and out; the shapes come from the graph;
TOLERANCE levels may lie between onnxruntime with and without its optimisations
"""
import sys

import numpy as np
import onnx
import onnxruntime

model, source, target, tolerance = sys.argv[1:]
onnx.checker.check_model(model, full_check=True)
outputs = []
for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    # Without VNNI, onnxruntime's fast kernel adds pairs of products in 16 bits and saturates; the precise one does not.
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (edge,) = session.get_inputs()
    values = np.fromfile(source, dtype=np.uint8).reshape(edge.shape)
    (output,) = session.run(None, {edge.name: values})
    assert output.dtype == np.uint8, output.dtype
    outputs.append(output)
difference = np.abs(outputs[0].astype(int) - outputs[1].astype(int)).max()
assert difference <= int(tolerance), f"onnxruntime's own optimisations change the output by {difference}"
outputs[0].tofile(target)
