"""The tests of scripts/test-fleet, with mosquitto, its clients, prometheus and promtool on the path."""

import argparse
import collections
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from ports import reserve_port

EXAMPLE, GUIDE, PAGE = (pathlib.Path("docs") / name for name in ("examples/fleet", "fleet.md", "page.md"))
READER, TOKEN = "reader", "a-token-that-the-fleet-shares"
# Timeout of every wait, in seconds. A loaded machine is slow, so it only bounds a wait that would never end.
LONGEST_S = 240

arguments = argparse.ArgumentParser()
arguments.add_argument("--binary", required=True)
args = arguments.parse_args()


def work_folder():
    """A temporary folder, in memory if there is room: while a disk stalls, a run drops records of a live source."""
    memory = pathlib.Path("/dev/shm")
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    return pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-fleet-", dir=memory if has_room else None))


work = work_folder()
# mosquitto drops root privileges and still needs access to its files.
work.chmod(0o755)
faults, started = [], []


def check(holds, what):
    """Reports `what` unless `holds`; `what` describes the failure."""
    if not holds:
        faults.append(what)
        print(f"fleet: {what}", flush=True)


def wait(what, holds):
    """Waits until `holds`; fails on timeout, or if a process has exited. `what` is the condition, or a function that
    describes it."""
    until = time.monotonic() + LONGEST_S
    while not holds():
        exited = [process.args[0] for process in started if process.poll() is not None]
        if time.monotonic() > until or exited:
            problem = f"{exited[0]} has exited" if exited else "timed out"
            raise SystemExit(f"fleet: {problem} while waiting until {what() if callable(what) else what}")
        time.sleep(0.2)


def start(command, **pipes):
    process = subprocess.Popen([str(word) for word in command], **pipes)
    started.append(process)
    return process


def stop(process):
    """Terminates a process and waits for it. If it does not exit, it is killed at the end of the tests."""
    process.terminate()
    process.wait(LONGEST_S)
    started.remove(process)


def replace_once(text, name, old, new):
    """`text` with the only occurrence of `old` replaced by `new`."""
    if text.count(old) != 1:
        raise SystemExit(f"fleet: {name} has {old!r} {text.count(old)} times, expected once")
    return text.replace(old, str(new))


def password_of(user):
    return f"the password of {user}"


def run_command(command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=LONGEST_S, **more)
    return done.returncode, (done.stdout + done.stderr).strip()


class Example:
    """The folder of the example, laid out as compose.yaml mounts it, except for addresses, ports and paths."""

    def __init__(self):
        self.folder = work / "fleet"
        shutil.copytree(EXAMPLE, self.folder)
        self.data = work / "broker"
        self.data.mkdir()
        self.data.chmod(0o777)
        compose = (EXAMPLE / "compose.yaml").read_text()
        mounts = dict(re.findall(r"^ +- (?:\./)?([\w.]+):(/[\w./]+?)(?::ro)?$", compose, re.MULTILINE))
        unmounted = {path.name for path in EXAMPLE.iterdir()} - set(mounts) - {"compose.yaml", "rules.test.yml"}
        if unmounted or not {"passwords", "token", "broker"} <= set(mounts):
            raise SystemExit(f"fleet: compose.yaml mounts only {mounts}; not mounted: {unmounted}")
        config = (EXAMPLE / "prometheus.yml").read_text()
        targets = re.findall(r'"(([\w-]+)\.lan:\d+)"', config)
        self.broker_port, self.prometheus_port, *ports = (reserve_port() for _ in range(2 + len(targets)))
        self.boxes = {box: port for (_, box), port in zip(targets, ports)}

        for (target, _), port in zip(targets, ports):
            config = replace_once(config, "prometheus.yml", target, f"127.0.0.1:{port}")
        for name in ("token", "rules.yml"):
            config = replace_once(config, "prometheus.yml", mounts[name], self.folder / name)
        (self.folder / "prometheus.yml").write_text(config)
        (self.folder / "token").write_text(TOKEN + "\n")

        config = (EXAMPLE / "mosquitto.conf").read_text()
        config = replace_once(config, "mosquitto.conf", "listener 1883\n", f"listener {self.broker_port} 127.0.0.1\n")
        for name in ("passwords", "acl"):
            config = replace_once(config, "mosquitto.conf", mounts[name], self.folder / name)
        config = replace_once(config, "mosquitto.conf", mounts["broker"], self.data)
        (self.folder / "mosquitto.conf").write_text(config)
        passwords = self.folder / "passwords"
        passwords.touch()
        for user in [*self.boxes, READER]:
            code, words = run_command(["mosquitto_passwd", "-b", passwords, user, password_of(user)])
            check(code == 0, f"mosquitto_passwd fails for {user}: {words}")
        passwords.chmod(0o644)

    def rules(self):
        """Alert rules by name."""
        _, *rules = (self.folder / "rules.yml").read_text().split("- alert: ")
        return {rule.split()[0]: rule for rule in rules}


class Broker:
    """mosquitto, with clients that publish and subscribe."""

    def __init__(self, example):
        self.example = example
        self.log = work / "broker.log"
        self.starts = 0
        self.start()

    def start(self):
        with open(self.log, "a") as log:
            self.process = start(["mosquitto", "-c", self.example.folder / "mosquitto.conf"], stdout=log, stderr=log)
        self.starts += 1
        wait(
            lambda: f"mosquitto is running: {self.log.read_text()}",
            lambda: self.log.read_text().count(" running\n") == self.starts,
        )

    def is_connected(self, box):
        """Whether a box has connected to the broker since the last start of the broker."""
        return f" as bloodseg-{box} " in self.log.read_text().rpartition(" running\n")[2]

    def access(self, user, password=None):
        port = self.example.broker_port
        return ["-h", "127.0.0.1", "-p", port, "-u", user, "-P", password or password_of(user)]

    def write(self, user, topic, message, password=None, qos=1):
        """Whether the broker acknowledged a message. It may still discard it: MQTT 3.1.1 cannot report a rejection."""
        words = ["mosquitto_pub", *self.access(user, password), "-q", qos, "-t", topic, "-m", message]
        return run_command(words)[0] == 0


class Session:
    """A disconnected subscriber for which the broker queues messages. Its command prints each as topic and message."""

    def __init__(self, command):
        self.command = command
        self.connect()

    def connect(self):
        """Connects, subscribes and disconnects, and returns the messages that the broker sent before it confirmed the
        subscription: those queued so far, if they are few and of QoS 1."""
        code, words = run_command([*self.command, "-E"])
        check(code == 0, f"{self.command[0]} cannot subscribe: {words}")
        return words.splitlines()

    def read(self, topic, last):
        """Connects and reads until the message `last` arrives; returns the earlier ones as (topic, message).
        Messages of one QoS arrive in order."""
        lines, end = [], f"{topic} {last}"
        process = start(self.command, stdout=subprocess.PIPE, text=True)
        reader = threading.Thread(target=lambda: lines.extend(line.rstrip("\n") for line in process.stdout), daemon=True)
        reader.start()
        wait(lambda: f"a subscriber receives {end!r}; it has {len(lines)} messages, the last {lines[-1:]}", lambda: end in lines)
        stop(process)
        reader.join()
        return [tuple(line.split(" ", 1)) for line in lines[: lines.index(end)]]


class Box:
    """`bloodseg run demo` as a box of the fleet, and its output."""

    def __init__(self, example, name, frames):
        self.name, self.port = name, example.boxes[name]
        self.folder = work / name
        self.folder.mkdir(exist_ok=True)
        secret = self.folder / "password"
        secret.write_text(password_of(name) + "\n")
        secret.chmod(0o600)
        # A budget larger than any build, so that the metric of the budget exists.
        (self.folder / "box.toml").write_text(
            f'[mqtt]\nbroker = "127.0.0.1:{example.broker_port}"\nbox = "{name}"\nuser = "{name}"\n'
            f'password_file = "password"\n[http]\naddress = "127.0.0.1:{self.port}"\ntoken = "{TOKEN}"\n'
            "[budget]\ntotal_mib = 4096\n"
        )
        # A seed for each box, so that the counts of boxes differ.
        seed = list(example.boxes).index(name) + 1
        command = [args.binary, "--config", self.folder / "box.toml", "run", "demo", "--seed", seed]
        command += ["--fps", 5, "--frames", frames, "--out", self.folder / "out"]
        self.lines, self.problems = [], []
        self.process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.readers = [
            threading.Thread(target=lambda: self.lines.extend(line.rstrip("\n") for line in self.process.stdout), daemon=True),
            threading.Thread(target=lambda: self.problems.extend(self.process.stderr), daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    def acks(self):
        return [int(found.group(1)) for line in list(self.lines) if (found := re.search(r"\back (\d+)$", line))]

    def ask(self, path, token=TOKEN):
        """Status, content type and text of a response of its page, with a token."""
        return ask(self.port, path, token)

    def end(self):
        """Waits for the end of the run, and returns the acknowledged frames as subscribers identify them."""
        self.process.wait(LONGEST_S)
        started.remove(self.process)
        for reader in self.readers:
            reader.join()
        check(self.process.returncode == 0, f"{self.name}: exit {self.process.returncode}: {self.problems}")
        check(not any("panicked" in line for line in self.problems), f"{self.name}: {self.problems}")
        database = sqlite3.connect(self.folder / "out" / "records.sqlite")
        (mark,) = database.execute("SELECT mark FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        database.close()
        return [(self.name, f"{mark & (2**64 - 1):016x}", number) for number in self.acks()]

    def cells(self):
        """Cumulative number of cells after each printed frame, starting with 0."""
        sums = [0]
        for line in self.lines:
            if line.startswith("frame "):
                found = re.match(r"frame +\d+ +cells +(\d+) ", line)
                sums.append(sums[-1] + (int(found.group(1)) if found else 0))
        return sums

    def counts(self):
        """Frames captured, analysed, dropped, failed and unreadable, and cells, from the summary of the run."""
        last = next((line for line in self.lines if line.startswith("end ")), "")
        found = re.search(
            r"(\d+) frames captured = (\d+) analysed \+ (\d+) dropped \+ (\d+) failed; (\d+) unreadable; (\d+) cells", last
        )
        check(found, f"{self.name}: unexpected summary {last!r}")
        return [int(number) for number in found.groups()] if found else [0] * 6

    def has_pending(self):
        """Whether frames are left for the next run, according to the summary."""
        return any("pending" in line for line in self.lines if line.startswith("mqtt "))


def ask(port, path, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # Proxies of the environment are ignored, because the page is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=LONGEST_S) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers["Content-Type"], refusal.read().decode()
    except OSError as fault:
        return 0, "", str(fault)


class Prometheus:
    def __init__(self, example):
        self.example, self.port = example, example.prometheus_port
        self.log = work / "prometheus.log"
        command = ["prometheus", f"--config.file={example.folder / 'prometheus.yml'}"]
        command += [f"--storage.tsdb.path={work / 'prometheus'}", f"--web.listen-address=127.0.0.1:{self.port}"]
        with open(self.log, "a") as log:
            self.process = start(command, stdout=log, stderr=log)
        wait(lambda: f"Prometheus is ready: {self.log.read_text()}", lambda: ask(self.port, "/-/ready")[0] == 200)

    def api(self, path, **query):
        status, _, text = ask(self.port, f"/api/v1/{path}?{urllib.parse.urlencode(query)}")
        if status != 200:
            raise SystemExit(f"fleet: Prometheus responds with {status} to {path} {query}: {text}")
        return json.loads(text)["data"]

    def targets(self):
        return self.api("targets", state="active")["activeTargets"]

    def targets_down(self):
        """Targets that are not scraped, and the error of each."""
        return {target["scrapeUrl"]: target["lastError"] for target in self.targets() if target["health"] != "up"}

    def rules(self):
        return {rule["name"]: rule for group in self.api("rules")["groups"] for rule in group["rules"]}

    def samples(self, name, labels=""):
        """The samples of a metric, summed over its labels, by box and time of the scrape."""
        boxes = {f"127.0.0.1:{port}": box for box, port in self.example.boxes.items()}
        sums = collections.defaultdict(lambda: collections.defaultdict(int))
        for series in self.api("query", query=f"bloodseg_{name}{{{labels}}}[1h]")["result"]:
            for when, value in series["values"]:
                sums[boxes[series["metric"]["instance"]]][when] += int(value)
        return sums


def documented_metrics():
    """Names of the metrics that docs/page.md lists."""
    table = PAGE.read_text().partition("### `/metrics`")[2]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)(?:\{[^}]*\})?`", cell)}


def promtool_checks(example):
    """Checks the example with promtool, and that each rule has a test and uses documented metrics."""
    folder = example.folder
    for words in (["check", "config", folder / "prometheus.yml"], ["check", "rules", folder / "rules.yml"]):
        code, answer = run_command(["promtool", *words])
        check(code == 0, f"promtool {words[0]} {words[1]} fails: {answer}")
    code, answer = run_command(["promtool", "test", "rules", "rules.test.yml"], cwd=folder)
    check(code == 0, f"promtool test rules fails: {answer}")
    rules, tests = example.rules(), (folder / "rules.test.yml").read_text()
    fire = set(re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:\n", tests))
    check(fire == set(rules), f"rules without a test that fires, or tests of unknown rules: {fire ^ set(rules)}")
    # promtool accepts rules on unknown metrics, which never fire.
    named = set(re.findall(r"\bbloodseg_(\w+)", "".join(rules.values())))
    check(named <= documented_metrics(), f"rules use metrics that {PAGE} does not list: {named - documented_metrics()}")
    return f"{len(rules)} rules"


def access_rules(example, broker):
    """A box can publish only under its own name and read nothing; the reader cannot publish."""
    one, other = list(example.boxes)[:2]
    everything = Session(
        ["mosquitto_sub", *broker.access(READER), "-i", "all", "-c", "-q", "2", "-t", "bloodseg/#", "-t", "homeassistant/#", "-v"]
    )
    curious = Session(["mosquitto_sub", *broker.access(other), "-i", "curious", "-c", "-q", "2", "-t", "#", "-v"])
    rejected = [
        (one, f"bloodseg/{other}/frames"), (one, f"bloodseg/{other}/state"), (one, "bloodseg/frames"), (one, "bloodseg"),
        (one, f"bloodseg/{one}x/frames"), (one, f"homeassistant/sensor/bloodseg_{other}/cells/config"),
        (one, "homeassistant/status"), (READER, f"bloodseg/{one}/frames"), (READER, f"bloodseg/{READER}/frames"),
        (READER, f"homeassistant/sensor/bloodseg_{one}/cells/config"),
        (READER, f"homeassistant/sensor/bloodseg_{READER}/cells/config"),
    ]
    accepted = [(box, topic) for box in example.boxes
                for topic in (f"bloodseg/{box}/frames", f"homeassistant/sensor/bloodseg_{box}/cells/config")]
    for user, topic in rejected:
        broker.write(user, topic, user)
    for user, topic in accepted:
        check(broker.write(user, topic, user), f"{user} cannot publish to {topic}")
    frames = f"bloodseg/{one}/frames"
    check(not broker.write(one, frames, one, password_of(other)), "the broker accepts a wrong password")
    anonymous = ["mosquitto_pub", *broker.access(one)[:4], "-t", frames, "-m", one]
    check(run_command(anonymous)[0] != 0, "the broker accepts a client without a user")
    broker.write(one, frames, "end")
    got = collections.Counter((user, topic) for topic, user in everything.read(frames, "end"))
    check(got == collections.Counter(accepted), f"the reader received {got}, expected {accepted}")
    read = curious.connect()
    check(not read, f"a box can read {read}")
    return f"{len(accepted)} messages accepted, {len(rejected)} rejected"


def check_metrics(box):
    """Checks that /metrics requires the token, is valid, and has exactly the documented metrics."""
    for token in (None, TOKEN[:-1], TOKEN + "x", password_of(READER)):
        status, *rest = box.ask("/metrics", token)
        check(status == 401, f"{box.name}: /metrics with token {token} has status {status}, expected 401: {rest}")
    status, *rest = box.ask("/healthz", None)
    check(status == 200, f"{box.name}: /healthz without a token has status {status}, expected 200: {rest}")
    status, kind, text = box.ask("/metrics")
    expected = (200, "text/plain; version=0.0.4; charset=utf-8")
    check((status, kind) == expected, f"{box.name}: /metrics has status and type {(status, kind)}, expected {expected}")
    code, words = run_command(["promtool", "check", "metrics"], input=text)
    check(code == 0 and not words, f"{box.name}: promtool check metrics fails: {words}")
    served = set(re.findall(r"^bloodseg_(\w+?)(?:_bucket|_sum|_count)?[{ ]", text, re.MULTILINE))
    # The demo has no camera.
    expected = {name for name in documented_metrics() if not name.startswith("camera_")}
    check(served == expected, f"{box.name}: metrics either served or listed in {PAGE}, but not both: {served ^ expected}")


def check_scrapes(box, prometheus):
    """Checks each scrape of a box against its output; returns the number of scrapes."""
    captured, analysed, dropped, failed, unreadable, cells = box.counts()
    sums, name = box.cells(), box.name
    check((len(sums) - 1, sums[-1]) == (analysed, cells), f"{name}: printed {len(sums) - 1} frames and {sums[-1]} cells, expected {analysed} and {cells}")
    held = {metric: prometheus.samples(metric)[name] for metric in
            ("frames_captured_total", "frames_analysed_total", "frames_judged_total", "cells_total", "records_kept_total")}
    lost = prometheus.samples("records_not_kept_total")[name]
    refused = prometheus.samples("frames_dropped_total", 'reason!="newer_came"')[name]
    newer = prometheus.samples("frames_dropped_total", 'reason="newer_came"')[name]
    for when, count in held["cells_total"].items():
        at = {metric: values.get(when, -1) for metric, values in held.items()}
        # The counters of a scrape are not read atomically, so the cells may be those of a later frame.
        check(count in sums[at["frames_judged_total"]:], f"{name}: the scrape {at} has the cells of no frame in {sums}")
        judged, counted = at["frames_judged_total"], at["frames_analysed_total"]
        check(0 <= judged <= analysed and 0 <= counted <= analysed, f"{name}: the scrape {at} exceeds {analysed} analysed frames")
        acks = len(box.acks())
        check(at["frames_captured_total"] <= captured and at["records_kept_total"] <= acks,
              f"{name}: the scrape {at} exceeds {captured} captured or {acks} acknowledged frames")
        check(newer[when] <= dropped, f"{name}: a scrape has {newer[when]} frames replaced by newer ones, the run {dropped}")
        check((refused[when], lost[when]) == (0, 0),
              f"{name}: a scrape has {refused[when]} frames dropped for another reason and {lost[when]} not kept")
    check(failed + unreadable == 0, f"{name}: {failed} frames failed, {unreadable} are unreadable")
    return len(held["cells_total"])


def send_pending(example):
    """Runs the boxes until none has pending frames: a run waits only a few seconds for its broker. Returns the
    acknowledged frames."""
    names, acknowledged = list(example.boxes), []
    for _ in range(5):
        boxes = [Box(example, name, 3) for name in names]
        acknowledged += [frame for box in boxes for frame in box.end()]
        names = [box.name for box in boxes if box.has_pending()]
        if not names:
            break
    check(not names, f"frames of {names} are pending after five runs")
    return acknowledged


def fleet(example, broker):
    """Three boxes, a broker that restarts, a subscriber that was disconnected, and Prometheus."""
    (line,) = [line for line in GUIDE.read_text().splitlines() if line.startswith("mosquitto_sub ")]
    command = [password_of(READER) if word == "PASSWORD" else word for word in shlex.split(line)]
    reader = Session([*command, "-p", example.broker_port])
    boxes = [Box(example, name, 100_000) for name in example.boxes]
    for box in boxes:
        wait(
            lambda: f"{box.name} is connected and has 3 frames: {box.lines}, {box.problems}",
            lambda: len(box.acks()) >= 3 and broker.is_connected(box.name),
        )
        check_metrics(box)
    prometheus = Prometheus(example)

    stop(broker.process)
    before = [len(box.acks()) for box in boxes]
    wait(
        "every box records frames without the broker",
        lambda: all(len(box.acks()) > count + 2 for box, count in zip(boxes, before)),
    )
    broker.start()

    def scraped():
        counts = prometheus.samples("frames_analysed_total")
        return all(len(counts[box.name]) >= 2 and max(counts[box.name].values()) >= 10 for box in boxes)

    wait(
        lambda: f"every box is scraped twice, with 10 frames, and is up; down: {prometheus.targets_down()}",
        lambda: scraped() and not prometheus.targets_down(),
    )
    wait(
        lambda: f"Prometheus has evaluated all rules: {prometheus.rules()}",
        lambda: all(rule["health"] == "ok" for rule in prometheus.rules().values()),
    )
    names, targets = set(prometheus.rules()), prometheus.targets()
    check(names == set(example.rules()), f"Prometheus has the rules {names}, expected {set(example.rules())}")
    check(len(targets) == len(boxes), f"Prometheus has {len(targets)} targets, expected {len(boxes)}: {targets}")
    firing = [alert for alert in prometheus.api("alerts")["alerts"] if alert["state"] == "firing"]
    check(not firing, f"alerts fire for healthy boxes: {firing}")
    for box in boxes:
        wait(lambda: f"{box.name} reconnects: {broker.log.read_text()}", lambda: broker.is_connected(box.name))
    for box in boxes:
        box.process.terminate()
    acknowledged = [frame for box in boxes for frame in box.end()]
    scrapes = sum(check_scrapes(box, prometheus) for box in boxes)
    stop(prometheus.process)
    log = prometheus.log.read_text()
    check(not re.search(r"(?i)level=(warn|error).*(scrape|rule)", log), f"Prometheus logs problems with scrapes or rules: {log}")

    # The next run in the same folder sends the frames that are still pending.
    acknowledged += send_pending(example)

    def numbers(got):
        frames = []
        for topic, message in got:
            frame = json.loads(message)
            check(topic == f"bloodseg/{frame['box']}/frames", f"a frame of {frame['box']} has the topic {topic}")
            frames.append((frame["box"], frame["run_mark"], frame["frame"]))
        return collections.Counter(frames)

    # Every acknowledged frame arrived exactly once, and nothing else did.
    topic = f"bloodseg/{boxes[0].name}/frames"
    broker.write(boxes[0].name, topic, "end", qos=2)
    expected, got = collections.Counter(acknowledged), numbers(reader.read(topic, "end"))
    check(not expected - got, f"frames did not arrive: {expected - got}")
    check(not got - expected, f"frames arrived more than once, or were not acknowledged: {got - expected}")
    return f"{len(acknowledged)} frames of {len(boxes)} boxes, {scrapes} scrapes"


def main():
    began = time.monotonic()

    def report(test, words):
        print(f"fleet: {test.__name__}: {words}; {time.monotonic() - began:.0f} s", flush=True)

    example = Example()
    report(promtool_checks, promtool_checks(example))
    broker = Broker(example)
    report(access_rules, access_rules(example, broker))
    report(fleet, fleet(example, broker))
    stop(broker.process)


# The started processes are also ended on SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("fleet: terminated"))
done = False
try:
    main()
    done = True
finally:
    for process in reversed(started):
        process.terminate()
    for process in started:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if done and not faults:
        shutil.rmtree(work, ignore_errors=True)
    else:
        print(f"fleet: files are kept in {work}")
print("passed" if not faults else f"{len(faults)} failed")
sys.exit(1 if faults else 0)
