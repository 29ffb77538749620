"""Shared by the tests: pictures of the repository, and the program to compare with."""

import csv
import os
import pathlib
import subprocess

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).parents[3]
SMEARS = sorted((ROOT / "data/synth/img").glob("*.png"))


def read(path):
    """A picture as an array."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def program(*args):
    """Runs the program, which must succeed."""
    command = [os.environ["BLOODSEG_BINARY"], *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Call:
    """The results of one call of `bloodseg segment`."""

    def __init__(self, out, *args):
        self.out = out
        program("segment", *args, "--out", out)
        self.frames = {row["image"]: row for row in rows(out / "frames.csv")}
        self.cells = {}
        for row in rows(out / "cells.csv"):
            self.cells.setdefault(row.pop("image"), []).append(row)

    def labels(self, stem):
        with Image.open(self.out / f"{stem}.labels.png") as picture:
            return np.asarray(picture).astype(np.uint16)

    def picture(self, stem):
        return read(self.out / f"{stem}.sr.png")


@pytest.fixture(scope="session")
def small():
    """Quarters of a smear, as arrays: quick to analyse, and of one scale."""
    whole = read(SMEARS[0])
    height, width = whole.shape[0] // 2, whole.shape[1] // 2
    return [np.ascontiguousarray(whole[y : y + height, x : x + width]) for y in (0, height) for x in (0, width)]


@pytest.fixture(scope="session")
def frame():
    """A frame at the scale of the models."""
    return read(ROOT / "docs/demo.lr.png")[2::4, 2::4].copy()
