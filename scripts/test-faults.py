"""The faults of scripts/test-faults, one process each."""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

FRAMES = 4
WRITES = ["write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2", "ftruncate", "unlink"]
# What differs from run to run by nature.
BY_NATURE = re.compile(r"(_ms|_utc|_s|^run|^ms)$")

arguments = argparse.ArgumentParser()
arguments.add_argument("--strace", required=True)
arguments.add_argument("--binary", required=True)
arguments.add_argument("--every", type=int, default=1)
arguments.add_argument("--only", choices=["kill", "error", "install", "wedge"])
args = arguments.parse_args()

work = pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-faults-"))
tried = collections.Counter()
outcomes = collections.Counter()
faults = []


def call(command, cwd, trace=None):
    """Runs bloodseg, under strace with these options where given; (exit code, stdout, stderr)."""
    command = [args.binary, *command]
    if trace is not None:
        command = [args.strace, "-f", "-qq", "-e", "signal=none", "-o", str(cwd / "trace"), *trace, *command]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def places(command, cwd, paths):
    """How often each call is made, in the thread that makes it most often, with `paths` or, without any, at all."""
    only = [part for path in paths for part in ("-P", str(path))]
    code, _, errors = call(command, cwd, [*only, "-e", "trace=" + ",".join(WRITES)])
    assert code == 0, errors
    calls = collections.Counter()
    for line in (cwd / "trace").read_text().splitlines():
        found = re.match(r"(\d+)\s+(\w+)\(", line)
        if found:
            calls[found.groups()] += 1
    most = collections.Counter()
    for (_, name), count in calls.items():
        most[name] = max(most[name], count)
    return [(name, number) for name in WRITES for number in range(1, most[name] + 1)]


def thinned(all_places):
    return all_places[:: args.every]


def acknowledged(stdout):
    return [int(number) for number in re.findall(r"\back (\d+)$", stdout, re.M)]


def exported(folder, cwd):
    """The recorded frames by number, without what differs by nature; None where there are no records to read."""
    code, stdout, errors = call(["export", "--from", str(folder), "--format", "jsonl", "--run", "last"], cwd)
    if code != 0:
        return None, errors
    rows = {}
    for line in stdout.splitlines():
        row = json.loads(line)
        rows[row["frame"]] = without_nature(row)
    return rows, ""


def without_nature(value):
    if isinstance(value, dict):
        return {key: without_nature(part) for key, part in value.items() if not BY_NATURE.search(key)}
    if isinstance(value, list):
        return [without_nature(part) for part in value]
    return value


def complain(where, what):
    faults.append(f"{where}: {what}")
    print(f"faults: {where}: {what}", flush=True)


def look_after(where, folder, cwd, stdout, truth):
    """Whether what was acknowledged is there, and nothing else than the truth."""
    acks = acknowledged(stdout)
    rows, errors = exported(folder, cwd)
    if rows is None:
        if acks:
            complain(where, f"frames {acks} were acknowledged, and nothing can be exported: {errors.strip()}")
        return acks
    missing = [number for number in acks if number not in rows]
    if missing:
        complain(where, f"frames {missing} were acknowledged and are lost")
    for number, row in rows.items():
        if truth.get(number) != row:
            complain(where, f"frame {number} is recorded as {row}, expected {truth.get(number)}")
    return acks


def goes_on(where, folder, cwd, run):
    """A later run without faults works on what is left."""
    code, stdout, errors = call(run, cwd)
    if code != 0 or acknowledged(stdout) != list(range(1, FRAMES + 1)):
        complain(where, f"the run after it fails: exit {code}, acknowledged {acknowledged(stdout)}: {errors.strip()}")


def runs():
    frames = work / "frames"
    frames.mkdir()
    for picture in sorted(pathlib.Path("data/synth/img").iterdir())[:FRAMES]:
        shutil.copy(picture, frames)
    run = ["run", str(frames), "--whole-field", "--out", "r"]
    baseline = work / "baseline"
    baseline.mkdir()
    code, stdout, errors = call(run, baseline)
    assert code == 0 and acknowledged(stdout) == list(range(1, FRAMES + 1)), (code, stdout, errors)
    truth, errors = exported(baseline / "r", baseline)
    assert truth is not None and len(truth) == FRAMES, errors

    database = ["r/records.sqlite", "r/records.sqlite-wal", "r/records.sqlite-journal"]
    groups = []
    for paths in [[], database]:
        counted = work / f"count{len(paths)}"
        counted.mkdir()
        groups.append((paths, thinned(places(run, counted, [counted / path for path in paths]))))

    def tries(kind, options):
        for paths, all_places in groups:
            for name, number in all_places:
                cwd = work / "try"
                shutil.rmtree(cwd, ignore_errors=True)
                cwd.mkdir()
                only = [part for path in paths for part in ("-P", str(cwd / path))]
                where = f"{kind} at {name} {number}" + (" of the database" if paths else "")
                yield where, cwd, call(run, cwd, [*only, "-e", "trace=" + name, "-e", f"inject={name}:{options(number)}"])

    if args.only in (None, "kill"):
        for where, cwd, (code, stdout, _) in tries("kill", lambda n: f"signal=KILL:when={n}"):
            tried["SIGKILL of a run"] += 1
            look_after(where, cwd / "r", cwd, stdout, truth)
            goes_on(where, cwd / "r", cwd, run)
    if args.only in (None, "error"):
        for error in ["ENOSPC", "EIO"]:
            for length, words in [("", "one call"), ("..+", "every call from there on")]:
                when = (lambda n: f"error={error}:when={n}") if not length else (lambda n: f"error={error}:when={n}+")
                for where, cwd, (code, stdout, stderr) in tries(f"{error}, {words},", when):
                    tried[f"{error} in a run, {words}"] += 1
                    acks = look_after(where, cwd / "r", cwd, stdout, truth)
                    if code not in (0, 5):
                        complain(where, f"exit {code}, expected 0, or 5 where something cannot be written: {stderr.strip()}")
                    not_kept = len(re.findall(r"not kept$", stdout, re.M))
                    if code == 0 and name_of(where) != "write" and len(acks) + not_kept != FRAMES:
                        complain(where, f"{len(acks)} acknowledged and {not_kept} not kept, of {FRAMES} frames")
                    outcomes[f"{error}, {words}: exit {code}"] += 1
                    goes_on(where, cwd / "r", cwd, run)


def wedge():
    """A source that hangs for eight seconds: the page answers, and what was acknowledged can be exported meanwhile."""
    frames = work / "wedged"
    frames.mkdir()
    for picture in sorted(pathlib.Path("data/synth/img").iterdir())[:FRAMES]:
        shutil.copy(picture, frames)
    where, stuck = "a source that hangs", sorted(frames.iterdir())[-1]
    hang = ["-P", str(stuck), "-e", "trace=openat", "-e", "inject=openat:delay_enter=8000000"]
    command = [args.strace, "-f", "-qq", "-e", "signal=none", "-o", str(work / "trace"), *hang]
    command += [args.binary, "run", str(frames), "--whole-field", "--out", "r", "--http", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=work, stdout=subprocess.PIPE, text=True) as run:
        page, acks = "", []
        for line in run.stdout:
            page = page or "".join(re.findall(r"^page +(http://\S+)", line))
            acks += acknowledged(line)
            if len(acks) == FRAMES - 1:
                break
        begun = time.monotonic()
        asked = 0
        while asked < 20 and run.poll() is None:
            health = json.load(urllib.request.urlopen(page + "healthz", timeout=5))
            latest = json.load(urllib.request.urlopen(page + "api/latest", timeout=5))
            asked += 1
            if health["state"] == "stopping" or latest["frame"]["number"] != FRAMES - 1:
                complain(where, f"the page tells of {health} and frame {latest['frame']['number']}")
                break
            time.sleep(0.1)
        rows, errors = exported(work / "r", work)
        took_s = time.monotonic() - begun
        if asked < 20 or rows is None or set(rows) != set(acks):
            complain(where, f"{asked} answers in {took_s:.1f} s, and the export while it hangs gives {rows and sorted(rows)}: {errors}")
        rest = run.stdout.read()
        if run.wait() != 0 or acknowledged(rest) != [FRAMES] or "frame" not in rest:
            complain(where, f"it does not go on: exit {run.returncode}, {rest}")
    tried[f"{where}: the page and the records go on"] += 1


def name_of(where):
    return re.search(r" at (\w+) ", where).group(1)


def installs():
    setting = work / "install"
    setting.mkdir()
    for command in (
        ["models", "keygen", "--out", "clinic"],
        ["models", "pack", os.path.abspath("models"), "--out", "new.bloodseg", "--key", "clinic.key"],
    ):
        code, _, errors = call(command, setting)
        assert code == 0, errors
    key = (setting / "clinic.pub").read_text().splitlines()[-1]
    (setting / "box.toml").write_text(f'[models]\nslots = "slots"\nkeys = ["{key}"]\n')
    install = ["--config", "box.toml", "models", "install", "new.bloodseg"]
    listing = ["--config", "box.toml", "models", "list", "--json"]
    verify = ["--config", "box.toml", "models", "verify"]

    def fresh(name, installed):
        cwd = work / name
        shutil.rmtree(cwd, ignore_errors=True)
        shutil.copytree(setting, cwd)
        if installed:
            code, _, errors = call(install, cwd)
            assert code == 0, errors
        return cwd

    for installed in [False, True]:
        for name, number in thinned(places(install, fresh("count", installed), [])):
            for options in ["signal=KILL", "error=ENOSPC", "error=EIO"]:
                cwd = fresh("try", installed)
                what = "the second" if installed else "the first"
                where = f"{options} at {name} {number} of {what} install"
                before = call(listing, cwd)[1]
                code, _, _ = call(install, cwd, ["-e", "trace=" + name, "-e", f"inject={name}:{options}:when={number}"])
                tried[f"{options.split('=')[1]} of an install"] += 1
                listed, after, errors = call(listing, cwd)
                if listed != 0:
                    complain(where, f"the models cannot be listed: {errors.strip()}")
                    continue
                # The same bundle once more changes nothing.
                if code == 0 and not installed and after == before:
                    complain(where, "install said that it was done, and nothing is active that was not before")
                verified, _, errors = call(verify, cwd)
                if verified != 0:
                    complain(where, f"the models do not verify: {errors.strip()}")
                outcomes[f"{options} of an install: exit {code}"] += 1
                code, _, errors = call(install, cwd)
                if code != 0:
                    complain(where, f"the install after it fails: {errors.strip()}")


try:
    if args.only in (None, "kill", "error"):
        runs()
    if args.only in (None, "install"):
        installs()
    if args.only in (None, "wedge"):
        wedge()
finally:
    shutil.rmtree(work, ignore_errors=True)
for what, count in sorted(tried.items()):
    print(f"faults: {what}: {count} places")
for what, count in sorted(outcomes.items()):
    print(f"faults: {what}: {count} times")
print(f"{sum(tried.values()) - len(faults)} passed, {len(faults)} failed")
sys.exit(1 if faults or not tried else 0)
