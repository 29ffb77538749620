"""The tests of scripts/test-mqtt, with mosquitto and its clients on the path."""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

BOX, USER, PASSWORD = "bench-1", "box", "a password"
FRAMES, LOST, STATE, AVAILABILITY = (f"lab/{BOX}/{last}" for last in ("frames", "lost", "state", "availability"))

arguments = argparse.ArgumentParser()
arguments.add_argument("--binary", required=True)
arguments.add_argument("--only")
args = arguments.parse_args()

work = pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-mqtt-"))
# mosquitto drops root, and must still reach its files.
work.chmod(0o755)
faults = []


def check(holds, what):
    if not holds:
        faults.append(what)
        print(f"mqtt: {what}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """mosquitto with a password and persistence, and a subscriber for which it queues frames."""

    def __init__(self, name):
        self.folder = work / f"{name}-broker"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.port = free_port()
        passwords = self.folder / "passwords"
        passwords.touch()
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), USER, PASSWORD], check=True, capture_output=True)
        passwords.chmod(0o644)
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {self.folder}/\nmax_queued_messages 0\n"
        )
        self.process = None
        self.start()
        # Registers the session for which frames are queued.
        self.client("mosquitto_sub", "-E", "-i", "reader", "-c", "-q", "2", "-t", FRAMES, "-t", LOST)

    def start(self):
        log = open(self.folder / "log", "a")
        command = ["mosquitto", "-c", str(self.folder / "mosquitto.conf")]
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"mqtt: mosquitto does not start: {(self.folder / 'log').read_text()}")

    def wait_for_box(self):
        """Waits until the box has reconnected since the last start of the broker; it retries with backoff."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if f"bloodseg-{BOX}" in (self.folder / "log").read_text().rpartition(" running")[2]:
                return
            time.sleep(0.1)
        check(False, f"the box does not come back within a minute: {(self.folder / 'log').read_text()}")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def client(self, *command):
        access = ["-h", "127.0.0.1", "-p", str(self.port), "-u", USER, "-P", PASSWORD]
        done = subprocess.run([command[0], *access, *command[1:]], capture_output=True, text=True, timeout=60)
        return done.stdout.splitlines()

    def received(self):
        """All queued messages: frames as (mark of the run, number), and the number of frames reported as lost."""
        frames, lost = [], 0
        for line in self.client("mosquitto_sub", "-i", "reader", "-c", "-q", "2", "-t", FRAMES, "-t", LOST, "-W", "3", "-F", "%t %p"):
            topic, payload = line.split(" ", 1)
            message = json.loads(payload)
            if topic == FRAMES:
                frames.append((message["run_mark"], message["frame"]))
            else:
                lost += message["lost"]
        return frames, lost

    def retained(self, topic, count=1):
        """Retained messages by topic."""
        lines = self.client("mosquitto_sub", "--retained-only", "-t", topic, "-C", str(count), "-W", "3", "-F", "%t %p")
        return dict(line.split(" ", 1) for line in lines)


class Run:
    """`bloodseg run demo` in a folder, with its output."""

    def __init__(self, name, port, frames, password=PASSWORD):
        self.folder = work / name
        self.folder.mkdir(exist_ok=True)
        secret = self.folder / "password"
        secret.write_text(password + "\n")
        secret.chmod(0o600)
        (self.folder / "box.toml").write_text(
            f'[mqtt]\nbroker = "127.0.0.1:{port}"\nbox = "{BOX}"\nuser = "{USER}"\npassword_file = "password"\n'
            'topic = "lab"\nkeep_alive_s = 2\n'
        )
        command = [args.binary, "--config", str(self.folder / "box.toml"), "run", "demo"]
        command += ["--fps", "10", "--frames", str(frames), "--out", str(self.folder / "out")]
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.problems = [], []
        self.readers = [
            threading.Thread(target=self.read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self.read, args=(self.process.stderr, self.problems)),
        ]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def read(pipe, into):
        for line in pipe:
            into.append(line.rstrip("\n"))

    def acks(self):
        return [int(found.group(1)) for line in self.lines if (found := re.search(r"\back (\d+)$", line))]

    def wait_for_acks(self, count):
        until = time.monotonic() + 240
        while len(self.acks()) < count and self.process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        check(len(self.acks()) >= count, f"{self.folder.name}: {len(self.acks())} frames acknowledged, expected {count}")

    def end(self, code=0):
        """Waits for the end, and returns the acknowledged frames as subscribers identify them."""
        self.process.wait(300)
        for reader in self.readers:
            reader.join()
        name = self.folder.name
        check(self.process.returncode == code, f"{name}: exit {self.process.returncode}: {self.problems}")
        check(not any("panicked" in line for line in self.problems), f"{name}: {self.problems}")
        return [(self.mark(), number) for number in self.acks()]

    def mark(self):
        database = sqlite3.connect(self.folder / "out" / "records.sqlite")
        (mark,) = database.execute("SELECT mark FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        database.close()
        return f"{mark & (2**64 - 1):016x}"

    def summary(self):
        return next((line for line in self.lines if line.startswith("mqtt ")), "")


def check_delivered_once(name, frames, acknowledged):
    """Checks that every acknowledged frame arrived exactly once, and nothing else did."""
    count = collections.Counter(frames)
    missing = [frame for frame in acknowledged if frame not in count]
    check(not missing, f"{name}: {len(missing)} of {len(acknowledged)} frames did not arrive: {missing}")
    check(set(count) <= set(acknowledged), f"{name}: frames arrived that nobody acknowledged: {set(count) - set(acknowledged)}")
    twice = [frame for frame, times in count.items() if times > 1]
    check(not twice, f"{name}: arrived more than once: {twice}")


def comes_and_goes():
    broker = Broker("comes-and-goes")
    run = Run("comes-and-goes", broker.port, 100_000)
    run.wait_for_acks(2)
    check(broker.retained(AVAILABILITY) == {AVAILABILITY: "online"}, f"not online: {broker.retained(AVAILABILITY)}")
    check_discovery(broker)
    for more in (2, 6):
        broker.stop()
        run.wait_for_acks(len(run.acks()) + 3)
        broker.start()
        run.wait_for_acks(len(run.acks()) + more)
        broker.wait_for_box()
    run.process.terminate()
    acknowledged = run.end()
    check(broker.retained(AVAILABILITY) == {AVAILABILITY: "offline"}, f"online after the end: {broker.retained(AVAILABILITY)}")
    last = json.loads(broker.retained(STATE)[STATE])
    check((last["state"], last["frame"], last["unsent"]) == ("stopping", acknowledged[-1][1], 0), f"last state: {last}")
    # The next run in the same folder sends the frames that are still pending.
    acknowledged += Run("comes-and-goes", broker.port, 3).end()
    frames, lost = broker.received()
    check_delivered_once("comes-and-goes", frames, acknowledged)
    check(lost == 0, f"{lost} frames are reported as lost")
    left = sorted(path.name for path in (work / "comes-and-goes" / "out").glob("records.sqlite*"))
    check(left == ["records.sqlite"], f"left behind: {left}")
    broker.stop()
    return f"{len(acknowledged)} frames, two outages"


def check_discovery(broker):
    sensors = broker.retained("homeassistant/#", 8)
    check(len(sensors) == 8, f"{len(sensors)} sensors in discovery, expected 8")
    state = json.loads(broker.retained(STATE).get(STATE, "{}"))
    ids = set()
    for topic, payload in sensors.items():
        config = json.loads(payload)
        ids.add(config["unique_id"])
        found = re.fullmatch(r"\{\{ value_json\.(\w+) \}\}", config["value_template"])
        check(re.fullmatch(rf"homeassistant/sensor/[\w-]+/\w+/config", topic), f"discovery at {topic}")
        check(found and found.group(1) in state, f"{topic}: {config['value_template']} is not in {state}")
        check(config["state_topic"] == STATE and config["availability_topic"] == AVAILABILITY, f"{topic}: {config}")
        check(config["device"]["identifiers"] == [f"bloodseg_{BOX}"], f"{topic}: {config['device']}")
    check(len(ids) == 8, f"not unique: {ids}")


def killed():
    broker = Broker("killed")
    run = Run("killed", broker.port, 100_000)
    run.wait_for_acks(6)
    run.process.send_signal(signal.SIGKILL)
    first = run.end(-signal.SIGKILL)
    time.sleep(1)
    check(broker.retained(AVAILABILITY) == {AVAILABILITY: "offline"}, f"no last will: {broker.retained(AVAILABILITY)}")
    marked = json.loads((run.folder / "out" / "mqtt.mark").read_text())["frame_id"]
    second = Run("killed", broker.port, 3).end()
    frames, lost = broker.received()
    count = collections.Counter(frames)
    missing = [frame for frame in first + second if frame not in count]
    check(not missing and lost == 0, f"killed: did not arrive: {missing}")
    # Only frames that the broker acknowledged, but that are not in the mark yet, may arrive again.
    allowed = set(first[marked:])
    twice = {frame for frame, times in count.items() if times > 1}
    check(twice <= allowed, f"killed: arrived more than once: {twice - allowed}")
    broker.stop()
    return f"{len(first)} frames before, {len(twice)} came again"


def away():
    broker = Broker("away")
    broker.stop()
    run = Run("away", broker.port, 20)
    first = run.end()
    check("pending for the next run" in run.summary(), f"away: {run.summary()}")
    check(any("broker unreachable" in line for line in run.problems), f"away: {run.problems}")
    broker.start()
    second = Run("away", broker.port, 3).end()
    check_delivered_once("away", broker.received()[0], first + second)
    wrong = Run("away", broker.port, 3, "another password")
    wrong.end()
    check(any("refused" in line for line in wrong.problems), f"wrong password: {wrong.problems}")
    check(PASSWORD not in " ".join(run.lines + run.problems + wrong.problems), "a password is printed")
    broker.stop()
    return "reported, and sent by the next run"


def hostile():
    """Misbehaving brokers: the run is not affected, and ends in time."""
    connack, flood = b"\x20\x02\x00\x00", b"\x30\x07\x00\x01afull" * 1000

    def silent(line):
        time.sleep(60)

    def mute_after_connack(line):
        line.sendall(connack)
        time.sleep(60)

    def garbage(line):
        line.sendall(os.urandom(4096))

    def floods(line):
        line.sendall(connack)
        while True:
            line.sendall(flood)

    def pings(line):
        line.sendall(connack)
        while True:
            line.sendall(b"\xd0\x00" * 1000)

    def huge(line):
        line.sendall(connack + b"\x30\xff\xff\xff\x7f")
        while True:
            line.sendall(b"\0" * 4096)

    def false_acks(line):
        line.sendall(connack)
        for number in range(70):
            line.sendall(b"\x50\x02" + number.to_bytes(2, "big") + b"\x70\x02" + number.to_bytes(2, "big"))
            line.sendall(b"\x40\x02" + number.to_bytes(2, "big"))

    def connack_again(line):
        while True:
            line.sendall(connack)

    for behave in (silent, mute_after_connack, garbage, floods, pings, huge, false_acks, connack_again):
        server = socket.socket()
        server.bind(("127.0.0.1", 0))
        server.listen()

        def serve():
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=answer, args=(line,), daemon=True).start()

        def answer(line):
            try:
                behave(line)
                time.sleep(0.5)
                line.close()
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        run = Run(f"hostile-{behave.__name__}", server.getsockname()[1], 15)
        run.process.wait(300)
        took = time.monotonic() - run.began
        acknowledged = run.end()
        check(acknowledged, f"{behave.__name__}: no frame was kept")
        ended = next((float(found.group(1)) for line in run.lines if (found := re.search(r"; ([\d.]+) s, ", line))), None)
        check(ended is not None, f"{behave.__name__}: no line says how long the frames took: {run.lines}")
        if ended is not None:
            check(0 < took - ended < 10, f"{behave.__name__}: took {took:.1f} s, the frames alone {ended} s")
        check("0 frames acknowledged" in run.summary() or "did not answer" in run.summary(), f"{behave.__name__}: {run.summary()}")
        server.close()
    return "8 kinds"


try:
    tests = [comes_and_goes, killed, away, hostile]
    for test in tests:
        if args.only in (None, test.__name__):
            began = time.monotonic()
            words = test()
            print(f"mqtt: {test.__name__}: {words}; {time.monotonic() - began:.0f} s", flush=True)
finally:
    if faults:
        print(f"mqtt: the folder stays: {work}")
    else:
        shutil.rmtree(work, ignore_errors=True)
print("passed" if not faults else f"{len(faults)} failed")
sys.exit(1 if faults else 0)
