#!/usr/bin/env python3
"""Counts the pictures whose pitch is doubted, at multiples of the pitch that data/labs.toml states.

    scripts/doubted-pitches.py --binary BLOODSEG --data LABS

data/README.md describes the layout of LABS. The first and the fourth of every seven pictures of a laboratory, sorted by
name, are excluded, because the limits in runtime/vision/src/scale/doubt.rs were chosen on them.
"""
import argparse
import collections
import csv
import pathlib
import subprocess
import tempfile
import tomllib

RED_CELL_UM = 7.5
FACTORS = [0.4, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4, 6]
CHOSEN_ON = (0, 3)


def verdicts(binary, pictures, um_per_px):
    with tempfile.TemporaryDirectory() as out:
        command = [binary, "segment", *pictures, "--um-per-px", f"{um_per_px:.6f}", "--no-pictures", "--quiet", "--out", out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(pathlib.Path(out, "frames.csv"), newline="", encoding="utf-8") as table:
            return collections.Counter(row["verdict"] for row in csv.DictReader(table))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--data", required=True, type=pathlib.Path)
    args = parser.parse_args()
    known = tomllib.loads(pathlib.Path(__file__).parent.parent.joinpath("data/labs.toml").read_text(encoding="utf-8"))
    laboratories = {}
    for folder in sorted(path for path in args.data.iterdir() if path.name in known):
        pictures = sorted(folder.joinpath("img").iterdir())
        laboratories[folder.name] = [path for at, path in enumerate(pictures) if at % 7 not in CHOSEN_ON]
    print("| pitch / true pitch | pictures | doubted | good | not counted |\n|---|---|---|---|---|")
    for factor in FACTORS:
        found = collections.Counter()
        for name, pictures in laboratories.items():
            found += verdicts(args.binary, pictures, RED_CELL_UM / known[name]["red_cell_px"] * factor)
        doubted, good, total = found["scale_doubtful"], found["good"], found.total()
        print(f"| {factor} | {total} | {doubted} | {good} | {total - doubted - good} |", flush=True)


if __name__ == "__main__":
    main()
