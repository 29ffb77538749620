"""Checks a bill of materials: the CycloneDX schema, and properties that the schema does not cover."""

import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def faults(text):
    found = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    if found:
        # The lines after the first are the schema.
        yield str(found).splitlines()[0]
        return
    bom = json.loads(text)
    components = bom["components"]
    refs = {component["bom-ref"] for component in components} | {bom["metadata"]["component"]["bom-ref"]}
    if len(refs) != len(components) + 1:
        yield "two components have the same bom-ref"
    for dependency in bom["dependencies"]:
        for ref in {dependency["ref"], *dependency["dependsOn"]} - refs:
            yield f"{ref} is a dependency but not a component"
    for component in components:
        if component["type"] == "library" and not component.get("licenses"):
            yield f"{component['bom-ref']} has no licence"
        is_ours = component["name"].startswith("bloodseg")
        if not component.get("hashes") and not is_ours:
            yield f"{component['bom-ref']} has no hash"
    names = {component["name"] for component in components if component.get("scope") == "required"}
    for name in ("bloodseg-kernels", "tract-core", "image", "ssr", "unet"):
        if name not in names:
            yield f"there is no required component {name}"
    for name in ("tch", "torch-sys", "proptest", "libfuzzer-sys"):
        if name in names:
            yield f"{name} is a required component, but the program does not contain it"


path = sys.argv[1]
with open(path) as file:
    found = list(faults(file.read()))
for fault in found:
    print(f"scripts/check-sbom.py: {path}: {fault}", file=sys.stderr)
sys.exit(bool(found))
