"""Compares the crate graph with the drawing in ARCHITECTURE.md, for scripts/tidy.

Each crate has a line with its dependencies, which must have later lines. Reports crates without a line, dependencies
that are not drawn, drawn crates and dependencies that do not exist, and dependencies on a crate with an earlier line.
"""

import json
import re
import subprocess
import sys

DRAWING = re.compile(r"```crates\n(.*?)```", re.S)
# Packages of the records, the page, the broker and the camera, which the trainer must not link.
BOX_ONLY = ["libsqlite3-sys", "rusqlite", "tokio", "hyper", "axum", "rumqttc", "linuxvideo"]


def drawn(text):
    """Crates with their dependencies, in the order of the lines."""
    block = DRAWING.search(text)
    if block is None:
        sys.exit("check-crates: ARCHITECTURE.md has no block with the language `crates`")
    lines = [line for line in block.group(1).splitlines() if line.strip()]
    return {name.strip(): set(uses.split()) for name, uses in (line.split("->") for line in lines)}


def built():
    """The same according to cargo: normal and build dependencies within the workspace."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["packages"]
    own = {package["name"] for package in packages}
    return {
        short(package["name"]): {
            short(use["name"]) for use in package["dependencies"] if use["kind"] != "dev" and use["name"] in own
        }
        for package in packages
    }


def short(name):
    return name.removeprefix("bloodseg-")


def faults(drawing, crates):
    """The differences, as messages."""
    order = list(drawing)
    for crate, uses in crates.items():
        if crate not in drawing:
            yield f"{crate} is not drawn in ARCHITECTURE.md"
            continue
        for use in sorted(uses - drawing[crate]):
            yield f"{crate} depends on {use}, which ARCHITECTURE.md does not draw"
        for use in sorted(drawing[crate] - uses):
            yield f"ARCHITECTURE.md draws {crate} -> {use}, which does not exist"
        for use in sorted(uses & set(order)):
            if order.index(use) <= order.index(crate):
                yield f"{crate} depends on {use}, which ARCHITECTURE.md draws above it"
    for crate in drawing:
        if crate not in crates:
            yield f"ARCHITECTURE.md draws {crate}, which does not exist"


def box_only():
    """Packages of BOX_ONLY in the dependency tree of the trainer, as messages."""
    command = ["cargo", "tree", "--offline", "-p", "train-host", "-e", "normal", "--prefix", "none", "-f", "{p}"]
    tree = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    linked = {line.split()[0] for line in tree.splitlines() if line}
    return [f"train-host links {name}" for name in BOX_ONLY if name in linked]


def self_test():
    """Checks that each kind of fault is reported."""
    drawing = {"a": {"b"}, "b": {"c"}, "c": set()}
    assert list(faults(drawing, {"a": {"b"}, "b": {"c"}, "c": set()})) == []
    assert any("draws above" in fault for fault in faults(drawing, {"a": {"b"}, "b": {"c"}, "c": {"a"}}))
    assert any("does not draw" in fault for fault in faults(drawing, {"a": {"b", "c"}, "b": {"c"}, "c": set()}))
    assert any("does not exist" in fault for fault in faults(drawing, {"a": set(), "b": {"c"}, "c": set()}))
    assert any("is not drawn" in fault for fault in faults(drawing, {"a": {"b"}, "b": {"c"}, "c": set(), "d": set()}))


if __name__ == "__main__":
    self_test()
    with open("ARCHITECTURE.md", encoding="utf-8") as file:
        found = list(faults(drawn(file.read()), built())) + box_only()
    for fault in found:
        print(f"check-crates: {fault}", file=sys.stderr)
    sys.exit(bool(found))
