"""Converts `cargo metadata` on stdin to the bill of materials of `bloodseg` on stdout, in CycloneDX 1.5."""

import datetime
import hashlib
import json
import os
import sys
import tomllib
import uuid

PROGRAM = "bloodseg"
MODELS = ("ssr", "unet")


def needs(node):
    """Ids of the packages that a package links, and of its build dependencies."""
    linked, building = set(), set()
    for dep in node["deps"]:
        kinds = {kind["kind"] for kind in dep["dep_kinds"]}
        if None in kinds:
            linked.add(dep["pkg"])
        elif "build" in kinds:
            building.add(dep["pkg"])
    return linked, building


def reach(root, packages, nodes):
    """Ids of the packages linked into the program, and of those only used to build it."""
    linked, building, todo = set(), set(), [(root, True)]
    while todo:
        id, is_linked = todo.pop()
        # A procedural macro and its dependencies run in the compiler.
        is_macro = any("proc-macro" in target["kind"] for target in packages[id]["targets"])
        is_linked = is_linked and not is_macro
        seen = linked if is_linked else building
        if id in seen:
            continue
        seen.add(id)
        of_linked, of_building = needs(nodes[id])
        todo += [(dep, is_linked) for dep in of_linked] + [(dep, False) for dep in of_building]
    return linked, building - linked


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version'].replace('+', '%2B')}"


def crate(package, checksums, scope):
    component = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "scope": scope,
        "purl": purl(package),
    }
    if package.get("license"):
        # Some crates still separate licences with a slash, Cargo's former syntax.
        component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package.get("repository"):
        component["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return component


def model(name):
    with open(f"models/{name}.toml", "rb") as file:
        manifest = tomllib.load(file)
    with open(f"models/{name}.onnx", "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{name}",
        "name": name,
        "version": manifest["version"],
        "description": manifest["training"]["data"],
        "scope": "required",
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "licenses": [{"license": {"name": manifest["training"]["licence"]}}],
    }


def main():
    triple = sys.argv[1]
    metadata = json.load(sys.stdin)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = next(id for id in metadata["workspace_members"] if packages[id]["name"] == PROGRAM)
    with open("Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(entry["name"], entry["version"]): entry.get("checksum") for entry in locked}

    linked, building = reach(root, packages, nodes)
    crates = [crate(packages[id], checksums, "required") for id in linked - {root}]
    crates += [crate(packages[id], checksums, "excluded") for id in building]
    models = [model(name) for name in MODELS if os.path.exists(f"models/{name}.onnx")]
    program = crate(packages[root], checksums, "required")
    del program["scope"]
    program["type"] = "application"
    dependencies = []
    for id in linked | building:
        of_linked, of_building = needs(nodes[id])
        refs = {purl(packages[dep]) for dep in of_linked | of_building}
        if id == root:
            refs |= {each["bom-ref"] for each in models}
        dependencies.append({"ref": purl(packages[id]), "dependsOn": sorted(refs)})

    made = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": program,
            "properties": [{"name": "cargo:target", "value": triple}],
        },
        "components": sorted(crates + models, key=lambda component: component["bom-ref"]),
        "dependencies": sorted(dependencies, key=lambda dependency: dependency["ref"]),
    }
    # Unique, but the same for the same contents.
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))}"
    json.dump(bom, sys.stdout, indent=1, sort_keys=True)
    print()


main()
