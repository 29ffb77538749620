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

from ports import reserve_port

BOX, USER, PASSWORD = "bench-1", "box", "a password"
FRAMES, LOST, STATE, AVAILABILITY = (f"lab/{BOX}/{last}" for last in ("frames", "lost", "state", "availability"))
# Published by the test after everything else.
END = "test/end"
# Timeout of every wait, in seconds. A loaded machine is slow, so it only bounds a wait that would never end.
LONGEST_S = 240
# Longest time in which a run ends after its last frame, in seconds; a run waits at most 5 s for its broker.
LONGEST_END_S = 60

arguments = argparse.ArgumentParser()
arguments.add_argument("--binary", required=True)
arguments.add_argument("--only")
args = arguments.parse_args()


def work_folder():
    """A temporary folder, in memory if there is room: while a disk stalls, a run drops records of a live source."""
    memory = pathlib.Path("/dev/shm")
    has_room = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 29
    return pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-mqtt-", dir=memory if has_room else None))


work = work_folder()
# mosquitto drops root privileges and still needs access to its files.
work.chmod(0o755)
faults, started = [], []


def check(holds, what):
    """Reports `what` unless `holds`; `what` describes the failure."""
    if not holds:
        faults.append(what)
        print(f"mqtt: {what}", flush=True)


def wait(what, holds):
    """Waits until `holds`; reports `what`, the condition or a function that describes it, on timeout."""
    until = time.monotonic() + LONGEST_S
    while not holds():
        if time.monotonic() > until:
            check(False, f"timed out waiting until {what() if callable(what) else what}")
            return
        time.sleep(0.05)


def start(command, **pipes):
    process = subprocess.Popen(command, **pipes)
    started.append(process)
    return process


class Broker:
    """mosquitto with a password and persistence, and a session of a subscriber for which it queues messages."""

    def __init__(self, name):
        self.folder = work / f"{name}-broker"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.port = reserve_port()
        passwords = self.folder / "passwords"
        passwords.touch()
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), USER, PASSWORD], check=True, capture_output=True)
        passwords.chmod(0o644)
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
            f"persistence true\npersistence_location {self.folder}/\nmax_queued_messages 0\n"
        )
        self.process, self.starts = None, 0
        self.start()
        self.subscription = ["-i", "reader", "-c", "-q", "2", "-t", FRAMES, "-t", LOST, "-t", END]
        # Registers the session for which messages are queued.
        self.client("mosquitto_sub", "-E", *self.subscription)

    def log(self):
        return (self.folder / "log").read_text()

    def start(self):
        with open(self.folder / "log", "a") as log:
            self.process = start(["mosquitto", "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log)
        self.starts += 1
        is_up = lambda: self.log().count(" running\n") == self.starts
        wait("mosquitto starts or exits", lambda: is_up() or self.process.poll() is not None)
        if not is_up():
            raise SystemExit(f"mqtt: mosquitto does not start: {self.log()}")

    def wait_for_box(self):
        """Waits until the box has connected since the last start of the broker; it retries with backoff."""
        connected = f" as bloodseg-{BOX} "
        wait(lambda: f"the box reconnects: {self.log()}", lambda: connected in self.log().rpartition(" running\n")[2])

    def box_has_left(self):
        """Waits until the box has disconnected. Returns whether it did so in order, after its last state: a box waits only
        a second for the broker to acknowledge that."""
        of_box = lambda: next((line for line in reversed(self.log().splitlines()) if f"bloodseg-{BOX} " in line), "")
        wait(lambda: f"the box disconnects: {self.log()}", lambda: f": Client bloodseg-{BOX} " in of_box())
        return of_box().endswith(" disconnected.")

    def stop(self):
        self.process.terminate()
        self.process.wait(LONGEST_S)

    def access(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-u", USER, "-P", PASSWORD]

    def client(self, program, *arguments):
        command = [program, *self.access(), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S).stdout.splitlines()

    def received(self):
        """Reads the queued messages: frames as (mark of the run, number), and the number of frames reported as lost."""
        # Messages of one QoS arrive in order, so this one is the last.
        self.client("mosquitto_pub", "-q", "2", "-t", END, "-m", "end")
        frames, lost = [], 0
        command = ["mosquitto_sub", *self.access(), *self.subscription, "-F", "%t %p"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
            give_up = threading.Timer(LONGEST_S, reader.kill)
            give_up.start()
            for line in reader.stdout:
                topic, payload = line.split(" ", 1)
                if topic == END:
                    break
                message = json.loads(payload)
                if topic == FRAMES:
                    frames.append((message["run_mark"], message["frame"]))
                else:
                    lost += message["lost"]
            else:
                check(False, f"the subscriber did not receive all queued messages: {self.log()}")
            give_up.cancel()
            reader.terminate()
        return frames, lost

    def retained(self, topic, count=1):
        """Retained messages by topic, at most `count`; fewer if they do not arrive within 3 s."""
        lines = self.client("mosquitto_sub", "--retained-only", "-t", topic, "-C", str(count), "-W", "3", "-F", "%t %p")
        return dict(line.split(" ", 1) for line in lines)

    def wait_retained(self, what, topic, holds, count=1):
        """Waits until `holds` for the retained messages of a topic, and returns them."""
        found = {}

        def is_so():
            found.clear()
            found.update(self.retained(topic, count))
            return len(found) == count and holds(found)

        wait(lambda: f"{what}; retained: {found}", is_so)
        return found

    def wait_availability(self, expected):
        self.wait_retained(f"the box is {expected}", AVAILABILITY, lambda found: found[AVAILABILITY] == expected)

    def wait_state(self, what, holds):
        """Waits until `holds` for the retained state of the box, and returns it."""
        found = self.wait_retained(what, STATE, lambda found: holds(json.loads(found[STATE])))
        return json.loads(found.get(STATE, "{}"))


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
        self.process = start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.problems = [], []
        self.acked_at = time.monotonic()
        self.readers = [
            threading.Thread(target=self.read, args=(self.process.stdout, self.lines)),
            threading.Thread(target=self.read, args=(self.process.stderr, self.problems)),
        ]
        for reader in self.readers:
            reader.start()

    def read(self, pipe, into):
        for line in pipe:
            into.append(line.rstrip("\n"))
            if line.startswith("frame "):
                self.acked_at = time.monotonic()

    def acks(self):
        return [int(found.group(1)) for line in self.lines if (found := re.search(r"\back (\d+)$", line))]

    def wait_for_acks(self, count):
        wait(f"{count} frames are acknowledged or the run ends", lambda: len(self.acks()) >= count or self.process.poll() is not None)
        check(len(self.acks()) >= count, f"{self.folder.name}: {len(self.acks())} frames acknowledged, expected {count}")

    def wait_for_problem(self, words):
        """Waits until the run has logged `words`."""
        wait(lambda: f"{self.folder.name}: the run logs {words!r}; so far {self.problems}", lambda: any(words in line for line in self.problems))

    def stop(self):
        """Ends a run that would not end by itself, and returns the acknowledged frames."""
        self.process.terminate()
        return self.end()

    def end(self, code=0):
        """Waits for the end, and returns the acknowledged frames as subscribers identify them."""
        self.process.wait(LONGEST_S)
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

    def pending(self):
        """Number of frames left for the next run, according to the summary."""
        found = re.search(r"; (\d+) are pending for the next run", self.summary())
        return int(found.group(1)) if found else 0


def send_pending(name, broker):
    """Runs with the same folder until no frame is pending and the box has left in order: each run waits only a few
    seconds for its broker. Returns the acknowledged frames."""
    acknowledged = []
    for _ in range(5):
        run = Run(name, broker.port, 3)
        acknowledged += run.end()
        if broker.box_has_left() and "pending" not in run.summary():
            return acknowledged
    check(False, f"{name}: after five runs, frames are pending or the box has not left in order: {run.summary()}: {broker.log()}")
    return acknowledged


def check_delivered_once(name, frames, acknowledged):
    """Checks that every acknowledged frame arrived exactly once, and nothing else did."""
    count = collections.Counter(frames)
    missing = [frame for frame in acknowledged if frame not in count]
    check(not missing, f"{name}: {len(missing)} of {len(acknowledged)} frames did not arrive: {missing}")
    check(set(count) <= set(acknowledged), f"{name}: frames arrived that were not acknowledged: {set(count) - set(acknowledged)}")
    twice = [frame for frame, times in count.items() if times > 1]
    check(not twice, f"{name}: frames arrived more than once: {twice}")


def comes_and_goes():
    """A broker that restarts twice during a run."""
    broker = Broker("comes-and-goes")
    run = Run("comes-and-goes", broker.port, 100_000)
    run.wait_for_acks(2)
    broker.wait_availability("online")
    check_discovery(broker)
    for more in (2, 6):
        broker.stop()
        run.wait_for_acks(len(run.acks()) + 3)
        broker.start()
        run.wait_for_acks(len(run.acks()) + more)
        broker.wait_for_box()
    # At its end a run has only a few seconds for what is unsent.
    broker.wait_state("the backlog of the outages is sent", lambda state: state["unsent"] is not None and state["unsent"] <= 16)
    acknowledged = run.stop()
    broker.wait_availability("offline")
    if broker.box_has_left():
        pending = run.pending()
        check_last_state(broker, acknowledged, lambda unsent: unsent == 0 or 0 < pending <= unsent)
    # The next run in the same folder sends the frames that are still pending.
    acknowledged += send_pending("comes-and-goes", broker)
    check_last_state(broker, acknowledged, lambda unsent: unsent == 0)
    frames, lost = broker.received()
    check_delivered_once("comes-and-goes", frames, acknowledged)
    check(lost == 0, f"{lost} frames are reported as lost")
    files = sorted(path.name for path in (work / "comes-and-goes" / "out").glob("records.sqlite*"))
    check(files == ["records.sqlite"], f"files of the records after the run: {files}, expected only records.sqlite")
    broker.stop()
    return f"{len(acknowledged)} frames, two outages"


def check_last_state(broker, acknowledged, may_be_unsent):
    number = acknowledged[-1][1]
    broker.wait_state(
        f"the last state is `stopping` at frame {number}, with all frames sent that are not pending",
        lambda state: (state["state"], state["frame"]) == ("stopping", number) and may_be_unsent(state["unsent"]),
    )


def check_discovery(broker):
    sensors = broker.wait_retained("discovery has 8 sensors", "homeassistant/#", lambda _: True, 8)
    state = broker.wait_state("the box has a state", lambda _: True)
    ids = set()
    for topic, payload in sensors.items():
        config = json.loads(payload)
        ids.add(config["unique_id"])
        found = re.fullmatch(r"\{\{ value_json\.(\w+) \}\}", config["value_template"])
        check(re.fullmatch(rf"homeassistant/sensor/[\w-]+/\w+/config", topic), f"unexpected discovery topic {topic}")
        check(found and found.group(1) in state, f"{topic}: {config['value_template']} is not a key of the state {state}")
        check(config["state_topic"] == STATE and config["availability_topic"] == AVAILABILITY, f"{topic}: {config}")
        check(config["device"]["identifiers"] == [f"bloodseg_{BOX}"], f"{topic}: {config['device']}")
    check(len(ids) == 8, f"the ids of the sensors are not unique: {ids}")


def killed():
    """A run that is killed: every acknowledged frame arrives, and only those in flight may arrive twice."""
    broker = Broker("killed")
    run = Run("killed", broker.port, 100_000)
    mark = run.folder / "out" / "mqtt.mark"
    marked = lambda: json.loads(mark.read_text())["frame_id"] if mark.exists() else 0
    run.wait_for_acks(6)
    wait("killed: the mark moves", lambda: marked() > 0)
    run.process.send_signal(signal.SIGKILL)
    first = run.end(-signal.SIGKILL)
    # The last will.
    broker.wait_availability("offline")
    # Frames after the mark that the broker acknowledged may arrive again.
    allowed = set(first[marked():])
    second = send_pending("killed", broker)
    frames, lost = broker.received()
    count = collections.Counter(frames)
    missing = [frame for frame in first + second if frame not in count]
    check(not missing and lost == 0, f"killed: frames did not arrive: {missing}, and {lost} are reported as lost")
    twice = {frame for frame, times in count.items() if times > 1}
    check(twice <= allowed, f"killed: frames before the mark arrived more than once: {twice - allowed}")
    broker.stop()
    return f"{len(first)} frames acknowledged before the kill, {len(twice)} delivered twice"


def away():
    """A broker that is away for a whole run, whose frames the next run sends; and a wrong password. Both are logged."""
    broker = Broker("away")
    broker.stop()
    run = Run("away", broker.port, 100_000)
    run.wait_for_acks(20)
    run.wait_for_problem("broker unreachable")
    first = run.stop()
    check("pending for the next run" in run.summary(), f"away: the summary does not have the pending frames: {run.summary()}")
    broker.start()
    second = send_pending("away", broker)
    check_delivered_once("away", broker.received()[0], first + second)
    wrong = Run("away", broker.port, 100_000, "another password")
    wrong.wait_for_problem("refused")
    wrong.stop()
    check(PASSWORD not in " ".join(run.lines + run.problems + wrong.problems), "away: the password is printed")
    broker.stop()
    return "reported, and sent by the next run"


def hostile():
    """Brokers that hang or violate the protocol until the run has ended: frames are recorded, and the run ends."""
    over = threading.Event()
    connack, flood = b"\x20\x02\x00\x00", b"\x30\x07\x00\x01afull" * 1000

    def silent(line):
        over.wait()

    def mute_after_connack(line):
        line.sendall(connack)
        over.wait()

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
        over.clear()

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
        run.process.wait(LONGEST_S)
        end_s = time.monotonic() - run.acked_at
        over.set()
        acknowledged = run.end()
        check(acknowledged, f"{behave.__name__}: no frame was acknowledged by the records")
        check(end_s < LONGEST_END_S, f"{behave.__name__}: the run ended {end_s:.1f} s after its last frame")
        check("0 frames acknowledged" in run.summary() or "did not answer" in run.summary(),
              f"{behave.__name__}: the summary counts acknowledged frames: {run.summary()}")
        server.close()
    return "8 kinds of misbehaviour"


# The started processes are also ended on SIGTERM.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("mqtt: terminated"))
try:
    tests = [comes_and_goes, killed, away, hostile]
    for test in tests:
        if args.only in (None, test.__name__):
            began = time.monotonic()
            words = test()
            print(f"mqtt: {test.__name__}: {words}; {time.monotonic() - began:.0f} s", flush=True)
finally:
    for process in started:
        process.kill()
    if faults:
        print(f"mqtt: files are kept in {work}")
    else:
        shutil.rmtree(work, ignore_errors=True)
print("passed" if not faults else f"{len(faults)} failed")
sys.exit(1 if faults else 0)
