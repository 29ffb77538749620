"""Times both models in bloodseg, onnxruntime and OpenVINO, and whole frames; called by scripts/bench-peers."""
import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
import openvino

import peer_frame

NETS = {"ssr": (1, 3, 64, 64), "unet": (1, 3, 256, 256)}


def body(path, folder):
    """A copy of the model that ends with the quantizer of its last convolution."""
    model = onnx.load(path)
    nodes = list(model.graph.node)
    last = max(at for at, node in enumerate(nodes) if node.op_type == "Conv")
    quantizer = next(n for n in nodes[last:] if n.op_type == "QuantizeLinear" and n.input[0] == nodes[last].output[0])
    wanted, kept = {quantizer.output[0]}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.insert(0, node)
            wanted.update(node.input)
    weights = [w for w in model.graph.initializer if w.name in wanted]
    output = onnx.helper.make_tensor_value_info(quantizer.output[0], onnx.TensorProto.UINT8, None)
    graph = onnx.helper.make_graph(kept, model.graph.name, list(model.graph.input), [output], weights)
    cut = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    target = os.path.join(folder, "body-" + os.path.basename(path))
    onnx.save(cut, target)
    return target


def median_ms(run, tiles):
    for _ in range(3):
        run()
    times = []
    for _ in range(tiles):
        before = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - before))
    return statistics.median(times)


def onnxruntime_run(path, shape, precise):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if precise:
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    values = {session.get_inputs()[0].name: np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)}
    return lambda: session.run(None, values)


class Frames:
    """Whole frames by onnxruntime and OpenCV: four pictures of data/synth."""

    def __init__(self):
        self.fields = sorted(glob.glob("data/synth/img/*"))[:4]
        self.pictures = [peer_frame.prepare(field) for field in self.fields]
        self.models_s = 0.0
        self.analyse = peer_frame.analyser(*(self.net(f"models/{net}.onnx") for net in NETS))
        self.cells = sum(len(self.analyse(picture)[2]) for picture in self.pictures)

    def net(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def run(tensor):
            before = time.perf_counter()
            output, = session.run(None, {name: tensor})
            self.models_s += time.perf_counter() - before
            return output

        return run

    def medians_ms(self, runs):
        """Median times of the models and of the frame."""
        times = []
        for at in range(runs + 3):
            self.models_s = 0.0
            before = time.perf_counter()
            self.analyse(self.pictures[at % len(self.pictures)])
            times.append((1e3 * self.models_s, 1e3 * (time.perf_counter() - before)))
        return [statistics.median(column) for column in zip(*times[3:])]


def openvino_run(path, shape, hint):
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": hint}
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    values = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    return lambda: request.infer([values])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tiles", type=int, default=40)
    parser.add_argument("--core", type=int, default=0)
    args = parser.parse_args()
    os.sched_setaffinity(0, {args.core})

    def ours(kernel, tiles):
        command = [args.binary, "bench", "--json", "--tiles", str(tiles), "--seconds", "20"]
        command += ["--kernel", kernel] if kernel else []
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    peers = {
        "onnxruntime, default": lambda path, shape: onnxruntime_run(path, shape, False),
        "onnxruntime, precise (no saturating sums)": lambda path, shape: onnxruntime_run(path, shape, True),
        "OpenVINO, latency": lambda path, shape: openvino_run(path, shape, "LATENCY"),
        "OpenVINO, throughput": lambda path, shape: openvino_run(path, shape, "THROUGHPUT"),
    }
    frames = Frames()
    with tempfile.TemporaryDirectory() as folder:
        command = [args.binary, "segment", *frames.fields, "--whole-field", "--out", os.path.join(folder, "cells")]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        cells = sum(int(count) for count in re.findall(r"^\S+: (\d+) cells", lines, re.MULTILINE))
        files = {"whole models": {net: f"models/{net}.onnx" for net in NETS}}
        files["convolutions only"] = {net: body(path, folder) for net, path in files["whole models"].items()}
        runs = {
            (form, name, net): make(files[form][net], shape)
            for form in files for name, make in peers.items() for net, shape in NETS.items()
        }
        times, whole = {}, {"bloodseg": [], "onnxruntime and OpenCV": []}
        for _ in range(args.rounds):
            report = ours(None, args.tiles)
            stages = report["stages"]
            nets_ms = sum(stages["steps"][net]["median_ms"] for net in NETS)
            whole["bloodseg"].append((nets_ms, stages["pipeline"]["median_ms"]))
            whole["onnxruntime and OpenCV"].append(frames.medians_ms(args.tiles))
            for form, keys in (("whole models", ("ssr_ms", "unet_ms")), ("convolutions only", ("ssr_body_ms", "unet_body_ms"))):
                times.setdefault((form, "bloodseg, " + report["kernel"]), []).append([report[key] for key in keys])
                for name in peers:
                    times.setdefault((form, name), []).append([median_ms(runs[form, name, net], args.tiles) for net in NETS])
        stock = ours("stock", 10)
        times["whole models", "stock tract, int8"] = [[stock["ssr_ms"], stock["unet_ms"]]] * args.rounds
    for form in files:
        print(f"\n{form}: median of {args.rounds} rounds of {args.tiles} runs, one thread\n")
        print("| engine | ssr ms | unet ms | both ms | bloodseg / this |\n|---|---|---|---|---|")
        us = next(rows for (f, name), rows in times.items() if f == form and name.startswith("bloodseg"))
        for (f, name), rows in times.items():
            if f == form:
                ssr, unet = (statistics.median(row[at] for row in rows) for at in (0, 1))
                ratio = statistics.median(sum(a) / sum(b) for a, b in zip(us, rows))
                print(f"| {name} | {ssr:.2f} | {unet:.2f} | {ssr + unet:.2f} | {ratio:.2f} |")
    print("\nwhole frames of 64x64 pixels, from the picture in memory to its cells\n")
    print("| program | models ms | rest ms | frame ms | bloodseg / this | cells in 4 fields |\n|---|---|---|---|---|---|")
    for (name, rows), found in zip(whole.items(), (cells, frames.cells)):
        nets, frame = (statistics.median(row[at] for row in rows) for at in (0, 1))
        rest = statistics.median(frame - nets for nets, frame in rows)
        ratio = statistics.median(a[1] / b[1] for a, b in zip(whole["bloodseg"], rows))
        print(f"| {name} | {nets:.2f} | {rest:.2f} | {frame:.2f} | {ratio:.2f} | {found} |")


main()
