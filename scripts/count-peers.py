"""The peer of scripts/count-peers: runs a model in onnxruntime on one thread. Arguments: model, runs, edge."""

import sys

import numpy
import onnxruntime

model, runs = sys.argv[1], int(sys.argv[2])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
first = session.get_inputs()[0]
# Dynamic dimensions are the batch size, set to one tile, and the edges: 64 pixels for super-resolution, otherwise 256.
edge = int(sys.argv[3])
shape = [side if isinstance(side, int) else default for side, default in zip(first.shape, (1, 3, edge, edge))]
levels = (numpy.arange(int(numpy.prod(shape))) * 37 % 256).astype(numpy.uint8).reshape(shape)
for _ in range(runs):
    session.run(None, {first.name: levels})
