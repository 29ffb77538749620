"""The stubs match the installed package, and a type checker accepts a program that uses it."""

import subprocess
import sys

PROGRAM = """
import numpy as np

import bloodseg

picture = np.zeros((64, 64, 3), np.uint8)
segmenter = bloodseg.Segmenter(0.2, any_quality=True)
count: int = segmenter.segment(picture).count or 0
for result in bloodseg.segment_many([picture], return_exceptions=True):
    if isinstance(result, bloodseg.Error):
        print(result.kind, result.remedy)
    else:
        areas = result.labels.sum() + count
        print(areas, result.verdict)
"""

WRONG = """
import bloodseg

bloodseg.segment("field.png")
"""


def checked(*args, cwd):
    return subprocess.run([sys.executable, "-m", *args], cwd=cwd, capture_output=True, text=True)


def test_stubs_match_package(tmp_path):
    found = checked("mypy.stubtest", "bloodseg", cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


def test_type_checker_accepts_program_and_finds_mistake(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(WRONG)
    good = checked("mypy", "--strict", "program.py", cwd=tmp_path)
    assert good.returncode == 0, good.stdout + good.stderr
    wrong = checked("mypy", "wrong.py", cwd=tmp_path)
    assert wrong.returncode == 1 and "arg-type" in wrong.stdout, wrong.stdout + wrong.stderr
