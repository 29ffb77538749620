"""The tests of scripts/test-fleet, with mosquitto, its clients, prometheus and promtool on the path."""

import argparse
import collections
import json
import pathlib
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

EXAMPLE, GUIDE, PAGE = (pathlib.Path("docs") / name for name in ("examples/fleet", "fleet.md", "page.md"))
READER, TOKEN = "reader", "a-token-that-the-fleet-shares"
# Timeout of every wait, in seconds; generous, only to end eventually.
LONGEST_S = 240

arguments = argparse.ArgumentParser()
arguments.add_argument("--binary", required=True)
args = arguments.parse_args()

work = pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-fleet-"))
# mosquitto drops root, and must still reach its files.
work.chmod(0o755)
faults, started = [], []


def check(holds, what):
    if not holds:
        faults.append(what)
        print(f"fleet: {what}", flush=True)


def wait(what, holds):
    """Waits until `holds`; fails on timeout, or if a process has ended."""
    until = time.monotonic() + LONGEST_S
    while not holds():
        if time.monotonic() > until or any(process.poll() is not None for process in started):
            raise SystemExit(f"fleet: waited in vain: {what() if callable(what) else what}")
        time.sleep(0.2)


def start(command, **pipes):
    process = subprocess.Popen([str(word) for word in command], **pipes)
    started.append(process)
    return process


def stop(process):
    """Terminates it, and forgets it once it has ended; otherwise it is killed at the end."""
    process.terminate()
    process.wait(LONGEST_S)
    started.remove(process)


def free_ports(count):
    """Distinct free ports."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


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
        left = {path.name for path in EXAMPLE.iterdir()} - set(mounts) - {"compose.yaml", "rules.test.yml"}
        if left or not {"passwords", "token", "broker"} <= set(mounts):
            raise SystemExit(f"fleet: compose.yaml mounts {mounts}, and not {left}")
        config = (EXAMPLE / "prometheus.yml").read_text()
        targets = re.findall(r'"(([\w-]+)\.lan:\d+)"', config)
        self.broker_port, self.prometheus_port, *ports = free_ports(2 + len(targets))
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
            check(code == 0, f"mosquitto_passwd: {words}")
        passwords.chmod(0o644)

    def rules(self):
        """Alert rules by name."""
        _, *rules = (self.folder / "rules.yml").read_text().split("- alert: ")
        return {rule.split()[0]: rule for rule in rules}


class Broker:
    """mosquitto, with clients that write and read."""

    def __init__(self, example):
        self.example = example
        self.log = work / "broker.log"
        self.start()

    def start(self):
        with open(self.log, "a") as log:
            self.process = start(["mosquitto", "-c", self.example.folder / "mosquitto.conf"], stdout=log, stderr=log)
        wait(lambda: f"mosquitto does not start: {self.log.read_text()}", self.answers)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.example.broker_port), 1).close()
        except OSError:
            return False
        return True

    def is_connected(self, box):
        """Whether a box is connected to the broker since its last start."""
        return f" as bloodseg-{box} " in self.log.read_text().rpartition(" running")[2]

    def access(self, user, password=None):
        port = self.example.broker_port
        return ["-h", "127.0.0.1", "-p", port, "-u", user, "-P", password or password_of(user)]

    def write(self, user, topic, message, password=None):
        """Whether the broker acknowledged a message. It may still discard it: MQTT 3.1.1 cannot report a rejection."""
        words = ["mosquitto_pub", *self.access(user, password), "-q", "1", "-t", topic, "-m", message]
        return run_command(words)[0] == 0


class Session:
    """A disconnected subscriber for which the broker queues messages."""

    def __init__(self, command):
        self.command = command
        code, words = run_command([*command, "-E"])
        check(code == 0, f"no session for {command[0]}: {words}")

    def read(self, enough):
        """Reconnects and reads, each line as (topic, message), until that is `enough` and nothing more arrives."""
        lines = []
        process = start(self.command, stdout=subprocess.PIPE, text=True)
        reader = threading.Thread(target=lambda: lines.extend(line.rstrip("\n") for line in process.stdout), daemon=True)
        reader.start()

        def got():
            return [tuple(line.split(" ", 1)) for line in lines]

        wait(lambda: f"a reader got {len(lines)} messages, the last {lines[-1:]}", lambda: enough(got()))
        time.sleep(1)
        stop(process)
        reader.join()
        return got()


class Box:
    """`bloodseg run demo` as a box of the fleet, with its output."""

    def __init__(self, example, name, frames):
        self.name, self.port = name, example.boxes[name]
        self.folder = work / name
        self.folder.mkdir(exist_ok=True)
        secret = self.folder / "password"
        secret.write_text(password_of(name) + "\n")
        secret.chmod(0o600)
        # A budget far above any build, so that its metric exists.
        (self.folder / "box.toml").write_text(
            f'[mqtt]\nbroker = "127.0.0.1:{example.broker_port}"\nbox = "{name}"\nuser = "{name}"\n'
            f'password_file = "password"\n[http]\naddress = "127.0.0.1:{self.port}"\ntoken = "{TOKEN}"\n'
            "[budget]\ntotal_mib = 4096\n"
        )
        # A seed per box, so that counts differ between boxes.
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
        """Status, content type and text of a response of its page."""
        return ask(self.port, path, token)

    def end(self):
        """Waits for the end, and returns the acknowledged frames as readers identify them."""
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
        """Running total of the cells after each printed frame, starting at 0."""
        sums = [0]
        for line in self.lines:
            if line.startswith("frame "):
                found = re.match(r"frame +\d+ +cells +(\d+) ", line)
                sums.append(sums[-1] + (int(found.group(1)) if found else 0))
        return sums

    def counts(self):
        """Frames captured, analysed, dropped, failed and unreadable, and cells, from its summary."""
        last = next((line for line in self.lines if line.startswith("end ")), "")
        found = re.search(
            r"(\d+) frames captured = (\d+) analysed \+ (\d+) dropped \+ (\d+) failed; (\d+) unreadable; (\d+) cells", last
        )
        check(found, f"{self.name} ended with {last!r}")
        return [int(number) for number in found.groups()] if found else [0] * 6


def ask(port, path, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # The page is on this machine: proxies of the environment are ignored.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=60) as answer:
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
        wait(lambda: f"prometheus does not start: {self.log.read_text()}", lambda: ask(self.port, "/-/ready")[0] == 200)

    def api(self, path, **query):
        status, _, text = ask(self.port, f"/api/v1/{path}?{urllib.parse.urlencode(query)}")
        if status != 200:
            raise SystemExit(f"fleet: Prometheus answers {status} to {path} {query}: {text}")
        return json.loads(text)["data"]

    def targets(self):
        return self.api("targets", state="active")["activeTargets"]

    def targets_down(self):
        """Targets that are not scraped, and why."""
        return {target["scrapeUrl"]: target["lastError"] for target in self.targets() if target["health"] != "up"}

    def rules(self):
        return {rule["name"]: rule for group in self.api("rules")["groups"] for rule in group["rules"]}

    def samples(self, name, labels=""):
        """The samples of a metric: its sum over other labels, by box and time of the scrape."""
        boxes = {f"127.0.0.1:{port}": box for box, port in self.example.boxes.items()}
        sums = collections.defaultdict(lambda: collections.defaultdict(int))
        for series in self.api("query", query=f"bloodseg_{name}{{{labels}}}[1h]")["result"]:
            for when, value in series["values"]:
                sums[boxes[series["metric"]["instance"]]][when] += int(value)
        return sums


def documented_metrics():
    """Names of the metrics in the documentation of the page."""
    table = PAGE.read_text().partition("### `/metrics`")[2]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)(?:\{[^}]*\})?`", cell)}


def promtool_checks(example):
    """Checks the files with promtool."""
    folder = example.folder
    for words in (["check", "config", folder / "prometheus.yml"], ["check", "rules", folder / "rules.yml"]):
        code, answer = run_command(["promtool", *words])
        check(code == 0, f"promtool {words[0]} {words[1]}: {answer}")
    code, answer = run_command(["promtool", "test", "rules", "rules.test.yml"], cwd=folder)
    check(code == 0, f"promtool test rules: {answer}")
    rules, tests = example.rules(), (folder / "rules.test.yml").read_text()
    fire = set(re.findall(r"alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:\n", tests))
    check(fire == set(rules), f"rules without an example, or the other way round: {fire ^ set(rules)}")
    # promtool accepts rules on metrics that do not exist, which would never fire.
    named = set(re.findall(r"\bbloodseg_(\w+)", "".join(rules.values())))
    check(named <= documented_metrics(), f"rules ask for metrics that {PAGE} does not know: {named - documented_metrics()}")
    return f"{len(rules)} rules"


def access_rules(example, broker):
    """Boxes can only write under their own name, and read nothing; the reader cannot write."""
    one, other = list(example.boxes)[:2]
    everything = Session(
        ["mosquitto_sub", *broker.access(READER), "-i", "all", "-c", "-q", "2", "-t", "bloodseg/#", "-t", "homeassistant/#", "-v"]
    )
    curious = Session(["mosquitto_sub", *broker.access(other), "-i", "curious", "-c", "-q", "2", "-t", "#", "-v"])
    refused = [
        (one, f"bloodseg/{other}/frames"), (one, f"bloodseg/{other}/state"), (one, "bloodseg/frames"), (one, "bloodseg"),
        (one, f"bloodseg/{one}x/frames"), (one, f"homeassistant/sensor/bloodseg_{other}/cells/config"),
        (one, "homeassistant/status"), (READER, f"bloodseg/{one}/frames"), (READER, f"bloodseg/{READER}/frames"),
        (READER, f"homeassistant/sensor/bloodseg_{one}/cells/config"),
        (READER, f"homeassistant/sensor/bloodseg_{READER}/cells/config"),
    ]
    taken = [(box, topic) for box in example.boxes
             for topic in (f"bloodseg/{box}/frames", f"homeassistant/sensor/bloodseg_{box}/cells/config")]
    for user, topic in refused:
        broker.write(user, topic, user)
    for user, topic in taken:
        check(broker.write(user, topic, user), f"{user} cannot write to {topic}")
    check(not broker.write(one, f"bloodseg/{one}/frames", one, password_of(other)), "a wrong password is taken")
    check(run_command(["mosquitto_pub", *broker.access(one)[:4], "-t", f"bloodseg/{one}/frames", "-m", one])[0] != 0, "anybody may write")
    got = everything.read(lambda got: {(topic, user) for user, topic in taken} <= set(got))
    got = collections.Counter((user, topic) for topic, user in got)
    check(got == collections.Counter(taken), f"of what users wrote, this came: {got}, expected {taken}")
    read = curious.read(lambda got: True)
    check(not read, f"a box reads {read}")
    return f"{len(taken)} messages taken, {len(refused)} thrown away"


def check_metrics(box):
    """Checks the metrics of a page, and that they need the token."""
    for token in (None, TOKEN[:-1], TOKEN + "x", password_of(READER)):
        check(box.ask("/metrics", token)[0] == 401, f"{box.name}: /metrics with token {token}: {box.ask('/metrics', token)}")
    check(box.ask("/healthz", None)[0] == 200, f"{box.name}: /healthz: {box.ask('/healthz', None)}")
    status, kind, text = box.ask("/metrics")
    check((status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8"), f"{box.name}: {status} {kind}")
    code, words = run_command(["promtool", "check", "metrics"], input=text)
    check(code == 0 and not words, f"promtool check metrics: {words}")
    served = set(re.findall(r"^bloodseg_(\w+?)(?:_bucket|_sum|_count)?[{ ]", text, re.MULTILINE))
    # The demo has no camera.
    expected = {name for name in documented_metrics() if not name.startswith("camera_")}
    check(served == expected, f"{box.name}: served or in {PAGE}, not both: {served ^ expected}")


def check_scrapes(box, prometheus):
    """Checks that each scrape of a box matches its output: the cells and frames at some time."""
    captured, analysed, dropped, failed, unreadable, cells = box.counts()
    sums, name = box.cells(), box.name
    check((len(sums) - 1, sums[-1]) == (analysed, cells), f"{name}: printed {len(sums) - 1} frames, {sums[-1]} cells")
    held = {metric: prometheus.samples(metric)[name] for metric in
            ("frames_captured_total", "frames_analysed_total", "frames_judged_total", "cells_total", "records_kept_total")}
    lost = prometheus.samples("records_not_kept_total")[name]
    refused = prometheus.samples("frames_dropped_total", 'reason!="newer_came"')[name]
    newer = prometheus.samples("frames_dropped_total", 'reason="newer_came"')[name]
    for when, count in held["cells_total"].items():
        at = {metric: values.get(when, -1) for metric, values in held.items()}
        # The counters of a scrape are not read atomically: cells may be of a later frame.
        check(count in sums[at["frames_judged_total"]:], f"{name}: no frame after which there were {at}: {sums}")
        check(0 <= at["frames_judged_total"] <= analysed and 0 <= at["frames_analysed_total"] <= analysed, f"{name}: {at}")
        check(at["frames_captured_total"] <= captured and at["records_kept_total"] <= len(box.acks()), f"{name}: {at}")
        amiss = (refused[when], lost[when])
        check(newer[when] <= dropped and amiss == (0, 0), f"{name}: {newer[when]} dropped, refused and not kept: {amiss}")
    check(failed + unreadable == 0, f"{name}: {failed} failed, {unreadable} unreadable")
    return len(held["cells_total"])


def fleet(example, broker):
    """Three boxes, a broker that restarts, a reader that was disconnected, and Prometheus."""
    (line,) = [line for line in GUIDE.read_text().splitlines() if line.startswith("mosquitto_sub ")]
    command = [password_of(READER) if word == "PASSWORD" else word for word in shlex.split(line)]
    reader = Session([*command, "-p", example.broker_port])
    boxes = [Box(example, name, 100_000) for name in example.boxes]
    for box in boxes:
        wait(lambda: f"{box.name}: {box.lines}, {box.problems}", lambda: len(box.acks()) >= 3 and broker.is_connected(box.name))
        check_metrics(box)
    prometheus = Prometheus(example)

    stop(broker.process)
    before = [len(box.acks()) for box in boxes]
    wait("frames without the broker", lambda: all(len(box.acks()) > count + 2 for box, count in zip(boxes, before)))
    broker.start()

    def scraped():
        counts = prometheus.samples("frames_analysed_total")
        return all(len(counts[box.name]) >= 2 and max(counts[box.name].values()) >= 10 for box in boxes)

    wait(lambda: f"not scraped often enough; not up: {prometheus.targets_down()}", lambda: scraped() and not prometheus.targets_down())
    wait(lambda: f"rules: {prometheus.rules()}", lambda: all(rule["health"] == "ok" for rule in prometheus.rules().values()))
    check(set(prometheus.rules()) == set(example.rules()), f"rules: {set(prometheus.rules())}")
    check(len(prometheus.targets()) == len(boxes), f"targets: {prometheus.targets()}")
    firing = [alert for alert in prometheus.api("alerts")["alerts"] if alert["state"] == "firing"]
    check(not firing, f"alerts of boxes that are well: {firing}")
    for box in boxes:
        wait(lambda: f"{box.name} does not come back: {broker.log.read_text()}", lambda: broker.is_connected(box.name))
    for box in boxes:
        box.process.terminate()
    acknowledged = [frame for box in boxes for frame in box.end()]
    scrapes = sum(check_scrapes(box, prometheus) for box in boxes)
    stop(prometheus.process)
    log = prometheus.log.read_text()
    check(not re.search(r"(?i)level=(warn|error).*(scrape|rule)", log), f"Prometheus: {log}")

    # The next run in the same folder sends the frames that are still pending.
    boxes = [Box(example, name, 3) for name in example.boxes]
    acknowledged += [frame for box in boxes for frame in box.end()]

    def numbers(got):
        frames = []
        for topic, message in got:
            frame = json.loads(message)
            check(topic == f"bloodseg/{frame['box']}/frames", f"a frame of {frame['box']} at {topic}")
            frames.append((frame["box"], frame["run_mark"], frame["frame"]))
        return collections.Counter(frames)

    # Every acknowledged frame arrived exactly once, and nothing else did.
    expected, got = collections.Counter(acknowledged), numbers(reader.read(lambda got: len(got) >= len(acknowledged)))
    check(not expected - got, f"did not arrive: {expected - got}")
    check(not got - expected, f"arrived more than once, or acknowledged by nobody: {got - expected}")
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


# Ends the started processes on SIGTERM too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("fleet: stopped"))
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
        print(f"fleet: the folder stays: {work}")
print("passed" if not faults else f"{len(faults)} failed")
sys.exit(1 if faults else 0)
