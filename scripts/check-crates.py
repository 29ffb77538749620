"""Holds the graph of crates against the one in ARCHITECTURE.md, for scripts/tidy.

Every crate may depend on crates drawn below it, and on those that its line names. A missing line, an edge that is not
drawn, a drawn edge that is not there, and an edge that points up are each reported.
"""

import json
import re
import subprocess
import sys

DRAWING = re.compile(r"```crates\n(.*?)```", re.S)
# What the trainer must not link: it shares the vision of the box, not its records, its page or its broker.
BOX_ALONE = ["libsqlite3-sys", "rusqlite", "tokio", "hyper", "axum", "rumqttc", "linuxvideo"]


def drawn(text):
    """Crates with what they use, in the order of their lines, the uppermost first."""
    block = DRAWING.search(text)
    if block is None:
        sys.exit("check-crates: ARCHITECTURE.md has no block of ```crates")
    lines = [line for line in block.group(1).splitlines() if line.strip()]
    return {name.strip(): set(uses.split()) for name, uses in (line.split("->") for line in lines)}


def built():
    """The same as cargo sees it: normal and build dependencies inside the workspace."""
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
    """What is wrong, a line each."""
    order = list(drawing)
    for crate, uses in crates.items():
        if crate not in drawing:
            yield f"{crate} is not drawn in ARCHITECTURE.md"
            continue
        for use in sorted(uses - drawing[crate]):
            yield f"{crate} depends on {use}, which ARCHITECTURE.md does not draw"
        for use in sorted(drawing[crate] - uses):
            yield f"ARCHITECTURE.md draws {crate} -> {use}, which is not there"
        for use in sorted(uses & set(order)):
            if order.index(use) <= order.index(crate):
                yield f"{crate} depends on {use}, which stands above it"
    for crate in drawing:
        if crate not in crates:
            yield f"ARCHITECTURE.md draws {crate}, which is not there"


def box_alone():
    """Packages in the trainer's tree that belong to the box alone."""
    command = ["cargo", "tree", "--offline", "-p", "train-host", "-e", "normal", "--prefix", "none", "-f", "{p}"]
    tree = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    linked = {line.split()[0] for line in tree.splitlines() if line}
    return [f"train-host links {name}" for name in BOX_ALONE if name in linked]


def self_test():
    """A check that finds nothing wrong with anything is none."""
    drawing = {"a": {"b"}, "b": {"c"}, "c": set()}
    assert list(faults(drawing, {"a": {"b"}, "b": {"c"}, "c": set()})) == []
    assert any("stands above" in fault for fault in faults(drawing, {"a": {"b"}, "b": {"c"}, "c": {"a"}}))
    assert any("does not draw" in fault for fault in faults(drawing, {"a": {"b", "c"}, "b": {"c"}, "c": set()}))
    assert any("which is not there" in fault for fault in faults(drawing, {"a": set(), "b": {"c"}, "c": set()}))
    assert any("is not drawn" in fault for fault in faults(drawing, {"a": {"b"}, "b": {"c"}, "c": set(), "d": set()}))


if __name__ == "__main__":
    self_test()
    with open("ARCHITECTURE.md", encoding="utf-8") as file:
        found = list(faults(drawn(file.read()), built())) + box_alone()
    for fault in found:
        print(f"check-crates: {fault}", file=sys.stderr)
    sys.exit(bool(found))
