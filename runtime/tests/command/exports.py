"""Reads the exports of one run with the libraries of those who use them, and compares them cell by cell."""

import csv
import json
import math
import pathlib
import sqlite3
import sys
import zipfile

import jsonschema
import numpy
import openpyxl
import roifile
import shapely.geometry
from pycocotools import mask
from pycocotools.coco import COCO

frames = [json.loads(line) for line in open("x.jsonl")]
cells = {(frame["run"], frame["frame"], cell["cell"]): (frame, cell) for frame in frames for cell in frame["cells"]}
# Platelets are among them, and counted apart.
assert cells and len(cells) == sum(frame["counts"]["cells"] + (frame["counts"]["platelets"] or 0) for frame in frames)

# The database itself, with Python's SQLite.
database = sqlite3.connect("file:r/records.sqlite?mode=ro", uri=True)
assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
assert database.execute("PRAGMA foreign_key_check").fetchall() == []
assert database.execute("SELECT count(*) FROM cells").fetchone() == (len(cells),)

# The table.
rows = list(csv.DictReader(open("x.csv")))
assert len(rows) == len(cells)
for row in rows:
    frame, cell = cells[int(row["run"]), int(row["frame"]), int(row["cell"])]
    assert math.isclose(float(row["x_um"]), cell["x_px"] * float(row["um_per_sr_px"]), abs_tol=1e-3)
    assert int(row["area_px"]) == cell["area_px"]

# COCO: the polygon rasterized by its own reference has the area of the cell, and lies in its picture.
coco = COCO("x.json")
images = {image["id"]: image for image in coco.loadImgs(coco.getImgIds())}
assert len(images) == len(frames)
for annotation in coco.loadAnns(coco.getAnnIds()):
    image = images[annotation["image_id"]]
    _, cell = cells[image["run"], image["frame"], annotation["cell"]]
    drawn = mask.decode(mask.merge(mask.frPyObjects(annotation["segmentation"], image["height"], image["width"])))
    # Its rasterizer rounds corners: a border pixel more or less.
    assert abs(int(drawn.sum()) - cell["area_px"]) <= 0.5 * cell["perimeter_px"] + 4, (drawn.sum(), cell)
    ys, xs = numpy.nonzero(drawn)
    x, y, width, height = annotation["bbox"]
    assert xs.min() >= x - 1 and xs.max() <= x + width and ys.min() >= y - 1 and ys.max() <= y + height

# GeoJSON: polygons whose area is the cell's, holes apart, on the input and in square micrometres.
features = json.load(open("x.geojson"))["features"]
assert len(features) == len(cells)
for feature in features:
    of = feature["properties"]
    frame, cell = cells[of["run"], of["frame"], of["cell"]]
    polygon = shapely.geometry.shape(feature["geometry"])
    assert of["unit"] == "px"
    area = cell["area_px"] * (frame["scale"] / 4) ** 2
    assert polygon.area >= area * 0.999 and polygon.area <= area * 1.2, (polygon.area, cell)
    assert polygon.exterior.is_ccw
    middle = shapely.geometry.Point(cell["input_x_px"], cell["input_y_px"])
    assert polygon.buffer(0.01).contains(middle) or not polygon.convex_hull.equals(polygon)
in_um = json.load(open("x-um.geojson"))["features"]
assert len(in_um) == len(cells)
for feature in in_um:
    of = feature["properties"]
    _, cell = cells[of["run"], of["frame"], of["cell"]]
    polygon = shapely.geometry.shape(feature["geometry"])
    assert of["unit"] == "um"
    assert polygon.area >= cell["area_um2"] * 0.999 and polygon.area <= cell["area_um2"] * 1.2, (polygon.area, cell)

# ImageJ: the same corners, on the input.
names = zipfile.ZipFile("x.zip").namelist()
assert zipfile.ZipFile("x.zip").testzip() is None and len(names) == len(cells)
for roi in roifile.roiread("x.zip"):
    frame, cell = cells[tuple(map(int, roi.name.split("-")))]
    corners = roi.coordinates().tolist()
    if corners[0] == corners[-1]:
        corners.pop()
    assert numpy.allclose(corners, cell["outline_input_px"], atol=1e-3), (corners, cell["outline_input_px"])
    assert float(roi.properties["um_per_sr_px"]) == frame["um_per_sr_px"], roi.properties

# Excel: the same rows as the tables, numbers as numbers, and text that is no formula.
book = openpyxl.load_workbook("x.xlsx")
assert book.sheetnames == ["samples", "frames", "cells"]
for name in book.sheetnames:
    header, *of_sheet = book[name].iter_rows(values_only=True)
    of_table = list(csv.DictReader(open({"cells": "x.csv"}.get(name, f"x-{name}.csv"))))
    assert len(of_sheet) == len(of_table) > 0, name
    for row, expected in zip(of_sheet, of_table):
        assert list(header) == list(expected)
        for value, text in zip(row, expected.values()):
            if isinstance(value, bool):
                assert text == str(value).lower()
            elif isinstance(value, (int, float)):
                assert math.isclose(value, float(text), rel_tol=1e-12), (value, text)
            else:
                assert (value or "") == text.removeprefix("'"), (value, text)
assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)

# Samples: the intervals hold the means, and the counts are those of the frames.
samples = {row["sample"]: row for row in csv.DictReader(open("x-samples.csv"))}
sample = samples["=Müller 7"]  if "=Müller 7" in samples else samples["'=Müller 7"]
assert sample["stain"] == "Grünwald" and int(sample["frames"]) == len(frames)
assert int(sample["cells"]) == sum(frame["field"]["new_cells"] for frame in frames if frame["field"])
assert float(sample["cells_per_field_low"]) <= float(sample["cells_per_field"]) <= float(sample["cells_per_field_high"])

# FHIR: valid by the published schema, with the same figures.
schema = json.loads((pathlib.Path(sys.prefix) / "fhir.schema.json").read_text())
bundle = json.load(open("x.fhir.json"))
rules = {"$schema": schema["$schema"], "$ref": "#/definitions/Bundle", "definitions": schema["definitions"]}
jsonschema.Draft6Validator(rules).validate(bundle)
[entry] = bundle["entry"]
observation = entry["resource"]
resource = {**rules, "$ref": "#/definitions/Observation"}
jsonschema.Draft6Validator(resource).validate(observation)
assert not jsonschema.Draft6Validator(resource).is_valid({**observation, "status": 1}), "the schema refuses something"
assert observation["specimen"]["identifier"]["value"] == "=Müller 7"
parts = {part["code"]["coding"][0]["code"]: part for part in observation["component"]}
assert parts["cells"]["valueQuantity"]["value"] == int(sample["cells"])
assert math.isclose(parts["cells_per_field"]["valueQuantity"]["value"], float(sample["cells_per_field"]), abs_tol=1e-3)
low = parts["cells_per_field_interval_95"]["valueRange"]["low"]["value"]
assert math.isclose(low, float(sample["cells_per_field_low"]), abs_tol=1e-3)

print(f"{len(cells)} cells agree")
