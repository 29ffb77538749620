"""The package and the program give identical results."""

import numpy as np
import pandas
import pytest
from conftest import SMEARS, Call, read
from PIL import Image

import bloodseg


def assert_same(result, call, name):
    stem = name.rsplit(".", 1)[0]
    frame, wanted = call.frames[name], call.cells.get(name, [])
    assert np.array_equal(result.labels, call.labels(stem)), "labels"
    assert np.array_equal(result.picture, call.picture(stem)), "picture"
    table = pandas.DataFrame(result.cells)
    if wanted:
        assert list(table.columns) == list(wanted[0])
    assert len(table) == len(wanted)
    for column in table.columns:
        for value, text in zip(table[column], (row[column] for row in wanted)):
            if isinstance(value, (bool, np.bool_)):
                assert text == str(bool(value)).lower(), column
            elif isinstance(value, str):
                assert text == value, column
            elif text == "":
                assert np.isnan(value), column
            else:
                assert float(text) == value, column
    known = lambda text, kind: None if text == "" else kind(text)
    for key, value in [("cells", result.count), ("red", result.red), ("white", result.white), ("platelets", result.platelets)]:
        assert value == known(frame[key], int), key
    assert result.verdict == frame["verdict"] and result.pitch_source == frame["pitch_source"]
    assert known(frame["scale"], float) == (None if result.scale is None else round(result.scale, 4))
    assert known(frame["um_per_px"], float) == (None if result.um_per_px is None else round(result.um_per_px, 5))
    assert result.is_counted == (result.count is not None) == (frame["cells"] != "")


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for at, array in enumerate(small):
        Image.fromarray(array).save(folder / f"{at}.png")
    # One more, without cells to measure.
    Image.fromarray(np.full((240, 320, 3), 200, np.uint8)).save(folder / "4.png")
    return folder


def test_whole_smear(tmp_path):
    call = Call(tmp_path / "out", SMEARS[1])
    result = bloodseg.segment(read(SMEARS[1]))
    assert result.count > 0
    assert_same(result, call, SMEARS[1].name)


def test_folder_with_common_scale_on_any_number_of_threads(folder, tmp_path):
    call = Call(tmp_path / "out", folder)
    arrays = [read(path) for path in sorted(folder.iterdir())]
    for threads in (1, 3):
        results = bloodseg.segment_many(arrays, threads=threads)
        assert len(results) == 5
        for at, result in enumerate(results):
            assert_same(result, call, f"{at}.png")
    assert results[0].count > 0 and results[4].count is None and results[4].verdict == "empty"


def test_given_pitch_and_any_quality(folder, tmp_path):
    call = Call(tmp_path / "out", folder / "1.png", folder / "4.png", "--um-per-px", "0.2", "--any-quality")
    for name in ("1.png", "4.png"):
        assert_same(bloodseg.segment(read(folder / name), 0.2, any_quality=True), call, name)


def test_frame_as_is(frame, tmp_path):
    Image.fromarray(frame).save(tmp_path / "frame.png")
    call = Call(tmp_path / "out", tmp_path / "frame.png", "--as-is")
    result = bloodseg.segment(frame, as_is=True)
    assert_same(result, call, "frame.png")
    assert result.scale == 1 and result.um_per_px is None and "x_um" not in result.cells
    call = Call(tmp_path / "um", tmp_path / "frame.png", "--as-is", "--um-per-px", "1.4")
    assert_same(bloodseg.segment(frame, 1.4, as_is=True), call, "frame.png")


def test_grey_pictures_and_views_match_their_copies(frame):
    grey = frame[..., 1]
    copy = np.stack([grey, grey, grey], axis=-1)
    wanted = bloodseg.segment(copy, as_is=True, any_quality=True)
    result = bloodseg.segment(grey, as_is=True, any_quality=True)
    assert np.array_equal(result.labels, wanted.labels) and np.array_equal(result.picture, wanted.picture)
    view = frame[::-1, ::-1]
    wanted = bloodseg.segment(view.copy(), as_is=True)
    assert np.array_equal(bloodseg.segment(view, as_is=True).labels, wanted.labels)
    frozen = frame.copy()
    frozen.flags.writeable = False
    assert bloodseg.segment(frozen, as_is=True).count == bloodseg.segment(frame, as_is=True).count
