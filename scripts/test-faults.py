"""The checks of scripts/test-faults: each injects a fault into a process of its own."""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

FRAMES = 4
WRITES = ["write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2", "ftruncate", "unlink"]
# Timeout of every command and request, in seconds. A loaded machine is slow, so it only bounds what would never end.
LONGEST_S = 600
# Columns whose values differ between runs.
VOLATILE = re.compile(r"(_ms|_utc|_s|^run|^ms)$")

arguments = argparse.ArgumentParser()
arguments.add_argument("--strace", required=True)
arguments.add_argument("--binary", required=True)
arguments.add_argument("--every", type=int, default=1)
arguments.add_argument("--only", choices=["kill", "error", "open", "install", "wedge"])
args = arguments.parse_args()

work = pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-faults-"))
tried = collections.Counter()
outcomes = collections.Counter()
faults = []


def call(command, cwd, trace=None):
    """Runs bloodseg, under strace if options are given; returns exit code, stdout and stderr."""
    command = [args.binary, *command]
    if trace is not None:
        command = [args.strace, "-f", "-qq", "-e", "signal=none", "-o", str(cwd / "trace"), *trace, *command]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=LONGEST_S)
    return done.returncode, done.stdout, done.stderr


def path_filters(paths, cwd):
    """The options that restrict strace to calls on these paths; none without paths. Each path is given as relative and
    absolute, because the program may use either."""
    return [part for path in paths for part in ("-P", path, "-P", str(cwd / path))]


def places(command, cwd, paths, kinds=WRITES):
    """Every call of the command as (name, number); only calls on `paths`, if any. strace counts per thread, so the
    numbers are those of the thread that makes the call most often."""
    code, _, errors = call(command, cwd, [*path_filters(paths, cwd), "-e", "trace=" + ",".join(kinds)])
    assert code == 0, errors
    calls = collections.Counter()
    for line in (cwd / "trace").read_text().splitlines():
        found = re.match(r"(\d+)\s+(\w+)\(", line)
        if found:
            calls[found.groups()] += 1
    most = collections.Counter()
    for (_, name), count in calls.items():
        most[name] = max(most[name], count)
    return [(name, number) for name in kinds for number in range(1, most[name] + 1)]


def every_kth(all_places):
    return all_places[:: args.every]


def acknowledged(stdout):
    return [int(number) for number in re.findall(r"\back (\d+)$", stdout, re.M)]


def exported(folder, cwd):
    """The recorded frames by run and number, without volatile values, or None if export fails; and its stderr."""
    code, stdout, errors = call(["export", "--from", str(folder), "--format", "jsonl"], cwd)
    if code != 0:
        return None, errors
    rows = {}
    for line in stdout.splitlines():
        row = json.loads(line)
        rows[row["run"], row["frame"]] = without_volatile(row)
    return rows, ""


def without_volatile(value):
    if isinstance(value, dict):
        return {key: without_volatile(part) for key, part in value.items() if not VOLATILE.search(key)}
    if isinstance(value, list):
        return [without_volatile(part) for part in value]
    return value


def report(where, what):
    faults.append(f"{where}: {what}")
    print(f"faults: {where}: {what}", flush=True)


def check_records(where, folder, cwd, stdout, truth):
    """Checks that acknowledged frames are recorded and that all records equal `truth`; returns both."""
    acks = acknowledged(stdout)
    rows, errors = exported(folder, cwd)
    if rows is None:
        if acks:
            report(where, f"frames {acks} were acknowledged, but the records cannot be exported: {errors.strip()}")
        return acks, {}
    last = max((run for run, _ in rows), default=None)
    missing = [number for number in acks if (last, number) not in rows]
    if missing:
        report(where, f"frames {missing} were acknowledged but are not recorded")
    for (_, number), row in rows.items():
        if truth.get(number) != row:
            report(where, f"frame {number} is recorded as {row}, expected {truth.get(number)}")
    return acks, rows


def check_next_run(where, folder, cwd, run, before):
    """Checks that the next run, without faults, succeeds and keeps the records `before`."""
    code, stdout, errors = call(run, cwd)
    if code != 0 or acknowledged(stdout) != list(range(1, FRAMES + 1)):
        report(where, f"the next run fails: exit {code}, acknowledged {acknowledged(stdout)}: {errors.strip()}")
    rows, errors = exported(folder, cwd)
    if rows is None:
        report(where, f"the records cannot be exported after the next run: {errors.strip()}")
        return
    for frame, row in before.items():
        if rows.get(frame) != row:
            report(where, f"after the next run, frame {frame} is {rows.get(frame)}, expected {row}")
    left = [path.name for path in folder.iterdir() if path.name.endswith(".part") or ".part-" in path.name]
    if left:
        report(where, f"the next run leaves partial files: {left}")


def baseline_run():
    """A folder of frames, the command that runs it, and the expected records by frame number."""
    frames = work / "frames"
    # Without the page: its threads wake each other with writes to pipes, which no disk can fail.
    run = ["run", str(frames), "--whole-field", "--http", "off", "--out", "r"]
    baseline = work / "baseline"
    if not frames.exists():
        frames.mkdir()
        for picture in sorted(pathlib.Path("data/synth/img").iterdir())[:FRAMES]:
            shutil.copy(picture, frames)
        baseline.mkdir()
        code, stdout, errors = call(run, baseline)
        assert code == 0 and acknowledged(stdout) == list(range(1, FRAMES + 1)), (code, stdout, errors)
    rows, errors = exported(baseline / "r", baseline)
    assert rows is not None and len(rows) == FRAMES, errors
    return frames, run, {number: row for (_, number), row in rows.items()}


DATABASE = ["r/records.sqlite", "r/records.sqlite-wal", "r/records.sqlite-journal", "r/records.sqlite-shm"]


def runs():
    frames, run, truth = baseline_run()
    stem = sorted(frames.iterdir())[-1].stem
    with_parts = lambda names: [f"r/{name}{part}" for name in names for part in ("", ".part")]
    # strace counts calls per thread. A group per kind of file also covers the threads that make fewer calls.
    groups = []
    for name, paths in [
        ("", []),
        (" of the database", DATABASE[:3]),
        (" of the pictures", with_parts([f"{stem}{kind}.png" for kind in (".sr", ".mask", ".labels", ".overlay")])),
        (" of the tables", with_parts(["cells.csv", "frames.csv"])),
    ]:
        counted = work / f"count{len(groups)}"
        counted.mkdir()
        found = places(run, counted, paths)
        assert found, f"strace reports no call{name}"
        groups.append((name, paths, every_kth(found)))

    def tries(kind, options):
        for group, paths, all_places in groups:
            for name, number in all_places:
                cwd = work / "try"
                shutil.rmtree(cwd, ignore_errors=True)
                cwd.mkdir()
                where = f"{kind} at {name} {number}{group}"
                trace = [*path_filters(paths, cwd), "-e", "trace=" + name, "-e", f"inject={name}:{options(number)}"]
                yield where, cwd, call(run, cwd, trace)

    if args.only in (None, "kill"):
        for where, cwd, (code, stdout, _) in tries("kill", lambda n: f"signal=KILL:when={n}"):
            tried["SIGKILL of a run"] += 1
            _, rows = check_records(where, cwd / "r", cwd, stdout, truth)
            check_next_run(where, cwd / "r", cwd, run, rows)
    if args.only in (None, "error"):
        for error in ["ENOSPC", "EIO"]:
            for length, words in [("", "one call"), ("..+", "all calls from one on")]:
                when = (lambda n: f"error={error}:when={n}") if not length else (lambda n: f"error={error}:when={n}+")
                for where, cwd, (code, stdout, stderr) in tries(f"{error}, {words},", when):
                    tried[f"{error} in a run, {words}"] += 1
                    acks, rows = check_records(where, cwd / "r", cwd, stdout, truth)
                    if code not in (0, 5):
                        report(where, f"exit {code}, expected 0 or 5: {stderr.strip()}")
                    not_kept = len(re.findall(r"^frame .* not kept$", stdout, re.M))
                    if code == 0 and call_of(where) != "write" and len(acks) + not_kept != FRAMES:
                        report(where, f"{len(acks)} frames are acknowledged and {not_kept} not kept, of {FRAMES}")
                    outcomes[f"{error}, {words}: exit {code}"] += 1
                    check_next_run(where, cwd / "r", cwd, run, rows)


def opens():
    """A disk that is full, read-only or failing when a run opens its records: every frame is still analysed."""
    _, run, truth = baseline_run()

    def fresh(name, earlier):
        cwd = work / name
        shutil.rmtree(cwd, ignore_errors=True)
        if earlier:
            shutil.copytree(work / "baseline", cwd)
        else:
            cwd.mkdir()
        return cwd

    for earlier in [False, True]:
        for name, number in every_kth(places(run, fresh("count-open", earlier), DATABASE, ["openat"])):
            for error in ["ENOSPC", "EROFS", "EIO"]:
                for when, words in [(f"{number}", "one call"), (f"{number}+", "all calls from one on")]:
                    cwd = fresh("try", earlier)
                    where = f"{error}, {words}, at {name} {number} of the database, {'after' if earlier else 'without'} an earlier run"
                    trace = [*path_filters(DATABASE, cwd), "-e", "trace=openat", "-e", f"inject=openat:error={error}:when={when}"]
                    code, stdout, stderr = call(run, cwd, trace)
                    tried[f"{error} as the database is opened, {words}"] += 1
                    acks, rows = check_records(where, cwd / "r", cwd, stdout, truth)
                    if earlier and any((1, frame) not in rows for frame in truth):
                        report(where, f"frames of the earlier run are lost: the records have {sorted(rows)}")
                    not_kept = len(re.findall(r"^frame .* not kept$", stdout, re.M))
                    if code not in (0, 5) or len(acks) + not_kept != FRAMES:
                        found = f"exit {code}, {len(acks)} frames acknowledged and {not_kept} not kept, of {FRAMES}"
                        report(where, f"{found}: {stderr.strip()}")
                    outcomes[f"{error} as the database is opened, {words}: exit {code}"] += 1
                    check_next_run(where, cwd / "r", cwd, run, rows)


def tracer_of(process):
    """Id of the strace of a process; 0 if it has none."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^TracerPid:\s+(\d+)$", status, re.M).group(1))


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=LONGEST_S) as response:
            return json.load(response)
    except urllib.error.HTTPError as response:
        return json.load(response)


def wedge():
    """A source that hangs: meanwhile the page responds and frames can be exported; then the run continues."""
    frames, counted = work / "wedged", work / "count-wedge"
    frames.mkdir()
    counted.mkdir()
    for picture in sorted(pathlib.Path("data/synth/img").iterdir())[:FRAMES]:
        shutil.copy(picture, frames)
    where, stuck = "a source that hangs", sorted(frames.iterdir())[-1]
    command = ["run", str(frames), "--whole-field", "--out", "r", "--http", "127.0.0.1:0"]
    # The last read of the last picture. Its header is also read before the first frame, but with fewer calls.
    _, number = places(command, counted, [str(stuck)], ["read"])[-1]
    # The read hangs until strace is killed. With -D, strace is not the parent of the run but its grandchild.
    hang = ["-D", "-P", str(stuck), "-e", "trace=read", "-e", f"inject=read:delay_enter={LONGEST_S * 1000000}:when={number}"]
    traced = [args.strace, "-f", "-qq", "-e", "signal=none", "-o", str(work / "trace"), *hang, args.binary, *command]
    with subprocess.Popen(traced, cwd=work, stdout=subprocess.PIPE, text=True) as run:
        try:
            page, acks = "", []
            for line in run.stdout:
                page = page or "".join(re.findall(r"^page +(http://\S+)", line))
                acks += acknowledged(line)
                if len(acks) == FRAMES - 1:
                    break
            answered = 0
            while answered < 20 and run.poll() is None:
                health, latest = fetch(page + "healthz"), fetch(page + "api/latest")
                if health["state"] == "stopping" or latest["frame"]["number"] != FRAMES - 1:
                    report(where, f"the page has state {health} and frame {latest['frame']['number']}, expected {FRAMES - 1}")
                    break
                answered += 1
                time.sleep(0.1)
            rows, errors = exported(work / "r", work)
            if answered < 20 or rows is None or {frame for _, frame in rows} != set(acks):
                found = f"{answered} of 20 responses, and exported frames {rows and sorted(rows)}, expected {acks}"
                report(where, f"during the hang: {found}: {errors}")
        finally:
            if run.poll() is None and (tracer := tracer_of(run)):
                os.kill(tracer, signal.SIGKILL)
        rest = run.stdout.read()
        if run.wait() != 0 or acknowledged(rest) != [FRAMES] or "frame" not in rest:
            report(where, f"the run does not continue after the hang: exit {run.returncode}, {rest}")
    tried[f"{where}: the page responds and the run continues"] += 1


def call_of(where):
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
        for name, number in every_kth(places(install, fresh("count", installed), [])):
            for options in ["signal=KILL", "error=ENOSPC", "error=EIO"]:
                cwd = fresh("try", installed)
                what = "the second" if installed else "the first"
                where = f"{options} at {name} {number} of {what} install"
                before = call(listing, cwd)[1]
                code, _, _ = call(install, cwd, ["-e", "trace=" + name, "-e", f"inject={name}:{options}:when={number}"])
                tried[f"{options.split('=')[1]} of an install"] += 1
                listed, after, errors = call(listing, cwd)
                if listed != 0:
                    report(where, f"the models cannot be listed: {errors.strip()}")
                    continue
                # Installing the same bundle again changes nothing.
                if code == 0 and not installed and after == before:
                    report(where, "the install succeeds, but the active models are unchanged")
                verified, _, errors = call(verify, cwd)
                if verified != 0:
                    report(where, f"the models do not verify: {errors.strip()}")
                outcomes[f"{options} of an install: exit {code}"] += 1
                code, _, errors = call(install, cwd)
                if code != 0:
                    report(where, f"the next install fails: {errors.strip()}")


try:
    if args.only in (None, "kill", "error"):
        runs()
    if args.only in (None, "open"):
        opens()
    if args.only in (None, "install"):
        installs()
    if args.only in (None, "wedge"):
        wedge()
finally:
    shutil.rmtree(work, ignore_errors=True)
for what, count in sorted(tried.items()):
    print(f"faults: {what}: {count} tried")
for what, count in sorted(outcomes.items()):
    print(f"faults: {what}: {count} times")
print(f"{sum(tried.values()) - len(faults)} passed, {len(faults)} failed")
sys.exit(1 if faults or not tried else 0)
