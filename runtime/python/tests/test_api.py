"""Errors, threads, memory and types."""

import concurrent.futures
import doctest
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas
import pytest
from conftest import ROOT, program

import bloodseg


@pytest.mark.parametrize(
    ("array", "found", "todo"),
    [
        (np.zeros((8, 8, 3), np.float32), "an array of float32", "(255 * array)"),
        (np.full((8, 8, 3), 200.0), "an array of float64 with levels from 200 to 200", "Convert it: array.round()"),
        (np.full((8, 8, 3), np.nan), "an array of float64 with levels from NaN to NaN", "Replace NaN"),
        (np.full((8, 8, 3), 70_000.0), "an array of float64", "to levels from 0 to 255"),
        (np.full((8, 8, 3), 60_000, np.uint16), "an array of uint16", "(array >> 8)"),
        (np.full((8, 8, 3), 4000, np.uint16), "an array of uint16", "(array >> 4)"),
        (np.full((8, 8, 3), 255, np.uint16), "an array of uint16", "array.round()"),
        (np.zeros((8, 8, 3), complex), "an array of complex128", "numpy.uint8"),
        (np.zeros((0, 8, 3), np.uint16), "an array of uint16", "numpy.uint8"),
        (np.broadcast_to(np.float32(0), (2**39, 2**20, 3)), "an array of float32", "numpy.uint8"),
        (np.array([["a"]]), "an array of <U1", "numpy.uint8"),
        (np.zeros((8, 8, 3), bool), "an array of bool", "not a mask"),
        (np.zeros((8, 8, 3), np.int64), "an array of int64", "astype"),
        (np.full((8, 8, 3), -1, np.int8), "an array of int8 with levels from -1 to -1", "negative"),
        (np.linspace(-1, 1, 192).reshape(8, 8, 3), "an array of float64 with levels from -1 to 1", "negative"),
        (np.zeros((8, 8, 3), object), "an array of object", "numpy.uint8"),
        (np.zeros((8, 8, 4), np.uint8), "an array of shape (8, 8, 4)", "array[..., :3]"),
        (np.zeros((8, 8, 1), np.uint8), "an array of shape (8, 8, 1)", "array[..., 0]"),
        (np.zeros((3, 8, 8), np.uint8), "an array of shape (3, 8, 8)", "moveaxis"),
        (np.zeros((2, 8, 8, 3), np.uint8), "an array of shape (2, 8, 8, 3)", "segment_many"),
        (np.zeros(8, np.uint8), "an array of shape (8,)", ""),
        (np.zeros((), np.uint8), "an array of shape ()", ""),
        (np.zeros((0, 8, 3), np.uint8), "an array of shape (0, 8, 3)", "Crop"),
        (np.broadcast_to(np.uint8(0), (1, 20_000, 3)), "an array of shape (1, 20000, 3)", "Crop"),
        (np.broadcast_to(np.uint8(0), (2**40, 2**20, 3)), "an array of shape", "Crop"),
        (np.ma.masked_equal(np.zeros((8, 8, 3), np.uint8), 0), "an array with a mask", "filled(0)"),
        ([[[0, 0, 0]]], "an object of type list", "numpy.asarray"),
        (None, "an object of type NoneType", "numpy.asarray"),
        ("picture.png", "an object of type str", "PIL.Image.open"),
        (pathlib.Path("picture.png"), "an object of type PosixPath", "PIL.Image.open"),
    ],
)
def test_invalid_pictures_are_rejected_with_remedy(array, found, todo):
    with pytest.raises(ValueError, match="expected") as caught:
        bloodseg.segment(array)
    error = caught.value
    assert isinstance(error, bloodseg.InputError) and error.kind == "input" and error.index is None
    assert error.found.startswith(found) and todo in error.remedy and found in str(error)
    [again] = bloodseg.segment_many([array], return_exceptions=True)
    assert (again.found, again.index) == (error.found, 0) and "arrays[0]" in str(again)


@pytest.mark.parametrize("um_per_px", [0, -1, float("nan"), float("inf")])
def test_invalid_pitch_is_rejected(um_per_px):
    with pytest.raises(bloodseg.InputError, match="pitch"):
        bloodseg.segment(np.zeros((8, 8, 3), np.uint8), um_per_px)


def test_blank_picture_has_no_count_at_unknown_scale():
    flat = np.full((120, 160, 3), 200, np.uint8)
    for any_quality in (False, True):
        result = bloodseg.segment(flat, any_quality=any_quality)
        assert result.count is None and result.red is None and result.supported is None and result.scale is None
        assert not result.is_counted and not result.labels.any() and len(result.cells["cell"]) == 0
        assert "--" not in result.reason
    counted = bloodseg.segment(flat, as_is=True, any_quality=True)
    assert counted.verdict == "empty" and counted.count == 0


def test_extreme_sizes_give_result_or_input_error():
    for shape in [(1, 1), (1, 700), (700, 1), (64, 64), (65, 3)]:
        for options in [{}, {"um_per_px": 1.4}, {"um_per_px": 1e-6}, {"um_per_px": 1e6}, {"as_is": True}]:
            array = np.arange(shape[0] * shape[1] * 3, dtype=np.uint64).astype(np.uint8).reshape(*shape, 3)
            try:
                result = bloodseg.segment(array, any_quality=True, **options)
                assert result.labels.shape == result.picture.shape[:2]
            except bloodseg.InputError:
                pass


def test_models_load_from_folder_or_bundle(frame, tmp_path):
    wanted = bloodseg.segment(frame, as_is=True)
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("ssr.onnx", "ssr.toml", "unet.onnx", "unet.toml"):
        shutil.copy(ROOT / "models" / name, folder)
    program("models", "keygen", "--out", tmp_path / "maker")
    program("models", "pack", folder, "--out", tmp_path / "new.bloodseg", "--key", tmp_path / "maker.key")
    program("models", "keygen", "--out", tmp_path / "other")
    key = (tmp_path / "maker.pub").read_text()
    for models, options in [(folder, {}), (str(folder), {}), (tmp_path / "new.bloodseg", {}), (tmp_path / "new.bloodseg", {"key": key})]:
        assert np.array_equal(bloodseg.segment(frame, as_is=True, models=models, **options).labels, wanted.labels)
    refused = [
        (tmp_path / "nothing", {}, bloodseg.ModelError, "model"),
        (tmp_path / "new.bloodseg", {"key": (tmp_path / "other.pub").read_text()}, bloodseg.ModelError, "model"),
        (tmp_path / "new.bloodseg", {"key": "no key"}, bloodseg.InputError, "input"),
        (folder, {"key": key}, bloodseg.InputError, "input"),
        (None, {"key": key}, bloodseg.InputError, "input"),
        (tmp_path / "maker.pub", {}, bloodseg.ModelError, "model"),
    ]
    damaged = bytearray((folder / "unet.onnx").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "unet.onnx").write_bytes(damaged)
    refused.append((folder, {}, bloodseg.ModelError, "model"))
    for models, options, error, kind in refused:
        with pytest.raises(error) as caught:
            bloodseg.Segmenter(models=models, **options)
        assert caught.value.kind == kind and str(caught.value)


def test_list_keeps_order_and_raises_first_error(small):
    arrays = [small[0], np.zeros((4, 4), np.float64), small[1], np.zeros((4, 4, 7), np.uint8)]
    for threads in (1, 2, 4):
        with pytest.raises(bloodseg.InputError, match=r"arrays\[1\]") as caught:
            bloodseg.segment_many(arrays, threads=threads)
        assert caught.value.index == 1
    results = bloodseg.segment_many(iter(arrays), threads=2, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["Result", "InputError", "Result", "InputError"]
    assert bloodseg.segment_many([]) == []
    for wrong, found in [(small[0], "a single array"), (7, "an object of type int")]:
        with pytest.raises(bloodseg.InputError, match=found):
            bloodseg.segment_many(wrong)
    for threads in (0, 1000, -1, 10**30):
        with pytest.raises(bloodseg.InputError, match=f"^threads: {threads}; expected"):
            bloodseg.segment_many(small, threads=threads)
    with pytest.raises(TypeError):
        bloodseg.segment_many(small, threads=1.5)


def test_iterator_error_propagates():
    def arrays():
        yield np.zeros((8, 8, 3), np.uint8)
        raise RuntimeError("the reader failed")

    with pytest.raises(RuntimeError, match="the reader failed"):
        bloodseg.segment_many(arrays())


def test_threads_share_segmenter_and_run_during_analysis(small):
    segmenter = bloodseg.Segmenter(um_per_px=0.2)
    wanted = [segmenter.segment(array) for array in small]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(segmenter.segment, small * 2))
    for result, other in zip(results, wanted * 2):
        assert np.array_equal(result.labels, other.labels) and np.array_equal(result.picture, other.picture)
    ticks, done = 0, threading.Event()
    worker = threading.Thread(target=lambda: (segmenter.segment_many(small * 2, threads=1), done.set()))
    worker.start()
    while not done.wait(0.01):
        ticks += 1
    worker.join()
    assert ticks > 3


def test_ctrl_c_interrupts_long_call():
    code = """
import numpy, bloodseg, signal
# A process in the background of a shell ignores it from the start.
signal.signal(signal.SIGINT, signal.default_int_handler)
array = numpy.random.default_rng(1).integers(0, 255, (700, 700, 3), numpy.uint8)
try:
    # Only here: the signal may follow at once.
    print("ready", flush=True)
    bloodseg.segment_many([array] * 500, um_per_px=1.4, any_quality=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    time.sleep(1)
    child.send_signal(signal.SIGINT)
    try:
        assert child.communicate(timeout=60)[0] == "interrupted\n"
    finally:
        child.kill()


def test_memory_limit_is_enforced(frame):
    fits = bloodseg.memory_bytes(64, 64, as_is=True)
    assert 0 < fits < bloodseg.memory_bytes(640, 480, as_is=True) < bloodseg.memory_bytes(640, 480)
    result = bloodseg.segment(frame, as_is=True, most_bytes=2 * fits)
    assert result.labels.shape == (256, 256)
    with pytest.raises(bloodseg.InputError, match="1000x1000"):
        bloodseg.segment(np.zeros((1000, 1000, 3), np.uint8), as_is=True, most_bytes=2 * fits)
    with pytest.raises(bloodseg.InputError, match="limit of 1000 bytes"):
        bloodseg.Segmenter(most_bytes=1000)
    for bytes in (-1, 10**30):
        with pytest.raises(bloodseg.InputError, match="most_bytes"):
            bloodseg.Segmenter(most_bytes=bytes)
    for sides in [(0, 5), (-1, 5), (5, 16385), (5, 10**30)]:
        with pytest.raises(bloodseg.InputError, match="width|height"):
            bloodseg.memory_bytes(*sides)
    with pytest.raises(bloodseg.InputError, match="a picture of 16384 x 16384 pixels; expected .* in total"):
        bloodseg.memory_bytes(16384, 16384)


def test_booleans_are_not_numbers(small):
    for truth in (True, np.True_):
        with pytest.raises(bloodseg.InputError, match="^um_per_px: True; expected a number"):
            bloodseg.Segmenter(truth)
        with pytest.raises(bloodseg.InputError, match="^threads: True; expected"):
            bloodseg.segment_many(small, threads=truth)
        with pytest.raises(bloodseg.InputError, match="^width: True; expected"):
            bloodseg.memory_bytes(truth, 64)
    assert bloodseg.Segmenter(np.float32(0.5)).um_per_px == bloodseg.Segmenter(0.5).um_per_px == 0.5
    assert bloodseg.Segmenter(1).um_per_px == 1.0
    for wrong in (0, -1, 1e9, float("nan"), float("inf")):
        with pytest.raises(bloodseg.InputError, match="^um_per_px: a pitch of "):
            bloodseg.Segmenter(wrong)
    for wrong in ("0.2", [0.2]):
        with pytest.raises(TypeError):
            bloodseg.Segmenter(wrong)


def test_segmenter_has_its_options_as_attributes():
    segmenter = bloodseg.Segmenter(0.25, any_quality=True, models=ROOT / "models", most_bytes=2**30)
    assert (segmenter.um_per_px, segmenter.as_is, segmenter.any_quality) == (0.25, False, True)
    assert (segmenter.models, segmenter.key, segmenter.most_bytes) == (str(ROOT / "models"), None, 2**30)
    plain = bloodseg.Segmenter()
    assert (plain.um_per_px, plain.models, plain.most_bytes) == (None, None, None)
    with pytest.raises(AttributeError):
        plain.um_per_px = 1.0


def test_kind_is_an_array_for_masks_and_has_one_dtype(frame):
    cells = bloodseg.segment(frame, as_is=True).cells
    is_red = cells["kind"] == "red"
    assert 0 < is_red.sum() == (np.asarray(cells["area_px"])[is_red] > 0).sum()
    none = bloodseg.segment(np.full((64, 64, 3), 200, np.uint8), as_is=True).cells
    assert len(none["kind"]) == 0
    assert pandas.DataFrame(none).dtypes.equals(pandas.DataFrame(cells).dtypes)


def test_results_segmenters_and_errors_can_be_pickled(frame):
    segmenter = bloodseg.Segmenter(1.4, as_is=True, models=str(ROOT / "models"))
    again = pickle.loads(pickle.dumps(segmenter))
    result = pickle.loads(pickle.dumps(segmenter.segment(frame)))
    assert np.array_equal(result.labels, again.segment(frame).labels) and "1 cell" in repr(result) or "cells" in repr(result)
    with pytest.raises(bloodseg.InputError) as caught:
        segmenter.segment(None)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (type(error), str(error), error.remedy) == (bloodseg.InputError, str(caught.value), caught.value.remedy)


def test_points_map_to_input(small):
    result = bloodseg.segment(small[0])
    x, y = result.on_input_px(result.cells["x_px"], result.cells["y_px"])
    assert np.abs(x - result.cells["input_x_px"]).max() < 0.1 and np.abs(y - result.cells["input_y_px"]).max() < 0.1
    low, high = result.um_per_px_range
    assert low < result.um_per_px < high and result.pitch_source == "measured"


def layouts(array):
    """The same pixels in every memory layout."""
    turned = np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    gaps = np.zeros((2 * array.shape[0], 3 * array.shape[1], *array.shape[2:]), np.uint8)[::2, ::3]
    gaps[...] = array
    back = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -1, 0)), 0, -1)
    read_only = array.copy()
    read_only.flags.writeable = False
    return {"Fortran": np.asfortranarray(array), "turned": turned, "gaps": gaps, "moved": back, "read-only": read_only}


def test_memory_layout_does_not_matter(small):
    grey = np.ascontiguousarray(small[0][:, :-7, 1])
    assert grey.shape[0] != grey.shape[1]
    for array in (small[0], grey):
        wanted = bloodseg.segment(array)
        assert wanted.count > 5
        for name, layout in layouts(array).items():
            assert np.array_equal(layout, array)
            for result in (bloodseg.segment(layout), *bloodseg.segment_many([layout])):
                assert np.array_equal(result.labels, wanted.labels) and result.count == wanted.count, name
    # A square array in the wrong order would be mirrored, which only its labels reveal.
    square = grey[: min(grey.shape), : min(grey.shape)]
    wanted, mirrored = bloodseg.segment(square, 0.2), bloodseg.segment(np.asfortranarray(square), 0.2)
    assert np.array_equal(wanted.labels, mirrored.labels)


def test_labels_map_to_input(small):
    for options in [{}, {"as_is": True, "any_quality": True}]:
        result = bloodseg.segment(small[0], **options)
        labels = result.labels_on_input(small[0].shape)
        assert labels.shape == small[0].shape[:2] and labels.dtype == np.uint16
        compared = 0
        names = ("cell", "input_x_px", "input_y_px", "touches_border")
        for cell, x, y, touches_border in zip(*(result.cells[name] for name in names)):
            rows, columns = np.nonzero(labels == cell)
            # Smaller cells have too few samples, and the analysed picture may extend past the input by a part of a pixel.
            if len(rows) > 20 and not touches_border:
                compared += 1
                assert abs(rows.mean() + 0.5 - y) < 0.6 and abs(columns.mean() + 0.5 - x) < 0.6
        assert compared > 5
    assert not result.labels_on_input((4000, 10))[3000:].any()


def test_contradicted_pitch_is_doubtful(small):
    um_per_px = bloodseg.segment(small[0]).um_per_px
    assert bloodseg.segment(small[0], um_per_px).verdict == "good"
    for options in [{"um_per_px": 3 * um_per_px}, {"um_per_px": um_per_px, "as_is": True}]:
        result = bloodseg.segment(small[0], **options)
        assert result.verdict == "scale_doubtful" and result.count and "check um_per_px" in result.reason


def test_repr_and_doctests(small):
    assert "(True, 'under_exposed')" in bloodseg.__doc__ and doctest.testmod(bloodseg).failed == 0
    assert repr(bloodseg.Segmenter(0.2, as_is=True, most_bytes=10**9)).endswith(
        "models built-in, um_per_px=0.2, most_bytes=1000000000, as_is=True>"
    )
    words = repr(bloodseg.segment(small[0]))
    assert "red" in words and "platelets, good, pitch measured" in words
    assert repr(bloodseg.segment(np.zeros((80, 80), np.uint8))) == "<bloodseg.Result: not counted, under_exposed>"


def test_version_matches_program():
    assert program("--version").split()[1].startswith(bloodseg.__version__)
