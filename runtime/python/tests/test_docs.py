"""The examples of docs/python.md run in the order of the page, in one folder with the files that they assume."""

import io
import re

import napari
import napari.components
from conftest import ROOT, SMEARS
from PIL import Image

PAGE = ROOT / "docs/python.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def test_page_examples_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "folder").mkdir()
    with Image.open(SMEARS[0]) as smear:
        smear.save(tmp_path / "field.png")
        width, height = smear.width // 2, smear.height // 2
        for at, (x, y) in enumerate([(0, 0), (width, 0), (0, height)]):
            smear.crop((x, y, x + width, y + height)).save(tmp_path / f"folder/{at}.png")
    monkeypatch.chdir(tmp_path)
    # Headless: the viewer without its window.
    monkeypatch.setattr(napari, "Viewer", napari.components.ViewerModel, raising=False)
    monkeypatch.setattr(napari, "run", lambda: None, raising=False)
    names = {"__name__": "__main__"}
    found = blocks("python")
    assert len(found) > 5
    for block in found:
        exec(compile(block, str(PAGE), "exec"), names)
    output = capsys.readouterr().out
    assert re.search(r"\d+ cells", output)
    # The variables of the examples agree with each other.
    assert names["result"].count == len([kind for kind in names["table"]["kind"] if kind != "platelet"])
    assert (names["viewer"].layers["cells"].data == names["result"].labels).all()
    # napari uses pixel centres, with the first pixel of the input as the origin.
    for row, column in [(0, 0), (100, 300)]:
        x, y = names["result"].on_input_px(column + 0.5, row + 0.5)
        found = names["viewer"].layers["cells"].data_to_world((row, column))
        assert abs(found[0] - (y - 0.5)) < 1e-6 and abs(found[1] - (x - 0.5)) < 1e-6
    assert len(names["regions"]) == len(names["table"])
    assert list(names["tables"]["image"].unique()) == ["folder/0.png", "folder/1.png", "folder/2.png"]
    assert list(names["dask_counts"]) == [result.count for result in names["results"]]


def test_readme_examples_run():
    text = (ROOT / "runtime/python/README.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(block, {"print": lambda *words: print(*words, file=io.StringIO())})
