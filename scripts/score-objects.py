#!/usr/bin/env python3
"""Scores detected cells against manually drawn boxes and points, per laboratory.

    scripts/score-objects.py --binary BLOODSEG --models DIR --data LABS --fields unet_model_checkpoints/fields.toml

data/README.md describes the layout of LABS. Each picture is segmented at the scale that data/labs.toml states. A cell
matches a box if their intersection over union is at least 0.4, and a point if its box contains the point; the best
pairs are matched first. Cells at the border count neither as missed nor as invented.
"""
import argparse
import collections
import csv
import json
import pathlib
import subprocess
import tempfile
import tomllib

LEAST_IOU = 0.4
RED_CELL_UM = 7.5
# A box that is this close to the border counts as touching it, in diameters of a red cell.
BORDER = 1.5 / 22


def iou(a, b):
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = lambda r: (r[2] - r[0]) * (r[3] - r[1])
    return shared / (area(a) + area(b) - shared) if shared else 0


def fit(mark, found):
    """How well the box of a cell fits a mark, which is a box or a point; None if they do not match."""
    if len(mark) == 4:
        overlap = iou(mark, found)
        return overlap if overlap >= LEAST_IOU else None
    off = [abs((at - low) / max(high - low, 1e-9) - 0.5) for at, low, high in zip(mark, found[:2], found[2:])]
    return 1 - max(off) if max(off) <= 0.5 else None


def pairs(marks, found):
    """Matches marks and cells, best fits first: the cell of each mark, and the mark of each cell, by index."""
    fits = [(fit(m, f), i, j) for i, m in enumerate(marks) for j, f in enumerate(found)]
    of_marks, of_found = {}, {}
    for _, i, j in sorted((one for one in fits if one[0] is not None), reverse=True):
        if i not in of_marks and j not in of_found:
            of_marks[i], of_found[j] = j, i
    return of_marks, of_found


def is_split(white, found):
    """Whether the box of a white cell contains two or more cells."""
    def inside(r):
        x, y = (r[0] + r[2]) / 2, (r[1] + r[3]) / 2
        shared = max(0, min(r[2], white[2]) - max(r[0], white[0])) * max(0, min(r[3], white[3]) - max(r[1], white[1]))
        return white[0] < x < white[2] and white[1] < y < white[3] and shared > 0.7 * (r[2] - r[0]) * (r[3] - r[1])
    return sum(map(inside, found)) > 1


class Sums:
    def __init__(self):
        self.counts = collections.Counter()
        self.errors, self.whites, self.split = [], 0, 0

    def add(self, marks, found, size, border):
        at_border = lambda r: r[0] <= border or r[1] <= border or r[-2] >= size[0] - border or r[-1] >= size[1] - border
        marked_out = [at_border(m) for _, m in marks]
        found_out = [at_border(f) for _, f in found]
        for name, kinds in [("cells", ("red", "white", "cell")), *((kind, (kind,)) for kind in ("red", "white", "platelet"))]:
            chosen = [j for j, (kind, _) in enumerate(found) if kind in kinds]
            of_marks, of_found = pairs([m for _, m in marks], [found[j][1] for j in chosen])
            for i, (kind, _) in enumerate(marks):
                if kind in kinds and not marked_out[i]:
                    if i not in of_marks:
                        self.counts[name, "missed"] += 1
                    elif not found_out[chosen[of_marks[i]]]:
                        self.counts[name, "matched"] += 1
            for at, j in enumerate(chosen):
                i = of_found.get(at)
                is_true = i is not None and (marked_out[i] or marks[i][0] in kinds)
                self.counts[name, "invented"] += not found_out[j] and not is_true
        is_cell = lambda rows, out: sum(kind != "platelet" and not o for (kind, _), o in zip(rows, out))
        truth = is_cell(marks, marked_out)
        if truth:
            self.errors.append(abs(is_cell(found, found_out) - truth) / truth)
        for (kind, mark), out in zip(marks, marked_out):
            if kind == "white" and len(mark) == 4 and not out:
                self.whites += 1
                self.split += is_split(mark, [f for k, f in found if k != "platelet"])

    def f1(self, name):
        matched, rest = self.counts[name, "matched"], self.counts[name, "missed"] + self.counts[name, "invented"]
        return f"{2 * matched / (2 * matched + rest):.3f}" if matched + rest else "-"


def found_in(args, pictures, um_per_px):
    """The size of each picture and its cells as (kind, box), by the stem of the picture."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        models = ["--models", args.models] if args.models else []
        call = [args.binary, *models, "--quiet", "segment", *map(str, pictures), "--um-per-px", str(um_per_px)]
        subprocess.run([*call, "--out", str(out)], stdout=subprocess.DEVNULL)
        text = subprocess.run([args.binary, "export", "--from", str(out), "--format", "coco"], check=True, capture_output=True)
    coco = json.loads(text.stdout)
    names = {category["id"]: category["name"] for category in coco["categories"]}
    results, ids = {}, {}
    for image in coco["images"]:
        stem, scale = image["file_name"].removesuffix(".sr.png"), image["scale"] / 4
        size = [start + side * scale for start, side in zip(image["input_start_px"], (image["width"], image["height"]))]
        results[stem], ids[image["id"]] = (size, []), stem
    for cell in coco["annotations"]:
        x, y, width, height = cell["input_bbox"]
        results[ids[cell["image_id"]]][1].append((names[cell["category_id"]], (x, y, x + width, y + height)))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--models", help="folder of models [default: built-in models]")
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--fields", required=True, help="fields.toml of a training run: the pictures that were not used for training")
    parser.add_argument("--split", default="reported", choices=["reported", "held_back"])
    args = parser.parse_args()
    names = set(tomllib.loads(pathlib.Path(args.fields).read_text())[args.split])
    labs = tomllib.loads((pathlib.Path(__file__).parent.parent / "data/labs.toml").read_text())
    print("| laboratory, pictures | object F1 | count error | F1 red | F1 white | F1 platelet | split white cells |")
    print("|---|---|---|---|---|---|---|")
    for lab, about in sorted(labs.items()):
        pictures = [path for path in sorted(args.data.glob(f"{lab}/img/*")) if path.stem in names]
        if not pictures:
            continue
        sums = Sums()
        results = found_in(args, pictures, RED_CELL_UM / about["red_cell_px"])
        for path in pictures:
            with open(args.data / lab / "labels" / f"{path.stem}.csv", newline="") as file:
                rows = list(csv.DictReader(file))
            corners = lambda row: [float(row[key]) for key in ("x0", "y0", "x1", "y1") if row[key]]
            size, found = results.get(path.stem, ((1e9, 1e9), []))
            sums.add([(row["kind"], corners(row)) for row in rows], found, size, BORDER * about["red_cell_px"])
        figures = " | ".join(sums.f1(name) for name in ("red", "white", "platelet"))
        error = 100 * sum(sums.errors) / max(1, len(sums.errors))
        print(f"| {lab}, {len(pictures)} | {sums.f1('cells')} | {error:.1f} % | {figures} | {sums.split} of {sums.whites} |")


main()
