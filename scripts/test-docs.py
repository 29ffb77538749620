"""The checks of scripts/test-docs. Run from the root of the repository.

A code block without a language, or with `sh` or `console`, contains only commands: one per line, with a remark after
two or more spaces. Every other block names its language (`text`, `toml`, `ini`, ...). Commands in running text
(`bloodseg eval DIR`) are not run, but their command and flags must exist.
"""

import argparse
import collections
import concurrent.futures
import functools
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

arguments = argparse.ArgumentParser()
arguments.add_argument("--binary", required=True)
arguments.add_argument("--only")
arguments.add_argument("--list", action="store_true")
args = arguments.parse_args()

# Timeout of one command, in seconds. A loaded machine is slow, so it only bounds a command that would never end.
LONGEST_S = 900
ROOT = pathlib.Path.cwd()
DOCUMENTS = ["README.md", "SECURITY.md", "data/README.md", "models/MODEL_CARD.md", "scripts/README.md",
             *sorted(str(path) for path in pathlib.Path("docs").glob("*.md"))]

# Patterns of placeholders and of paths on the device, with their substitutes.
SUBSTITUTES = {
    r"\bPICTURE\b": "field.jpg",
    r"\bDIR\b": "set",
    r"\bFIELDS\b": "set/val_tmp",
    r"/etc/bloodseg/config\.toml": "etc/config.toml",
    r"/var/lib/bloodseg/camera0": "results",
}

# Commands that take minutes in a debug build, with what is run instead. The original line is only parsed.
SHORTENED = [
    (r"^bloodseg bench\b.*", "bloodseg bench --seconds 1 --tiles 1"),
    (r"^bloodseg budget --frame \S+", "bloodseg budget --frame 64x64"),
]

# Run once for all documents.
ONCE = {"bloodseg run demo", *(instead for _, instead in SHORTENED)}

# Commands that the program only parses, with the reason.
PARSED = [
    (r"^bloodseg .*\beval\b.* --robustness", "takes dozens of evaluations; `eval` is run without it, and the tests of the runtime disturb fields"),
    (r"^bloodseg validate\b", "needs manual counts of 40 pictures; the tests of the records read such a table"),
    (r"^bloodseg segment .* --correct\b", "needs a file written by `validate`"),
    (r"^bloodseg .*\beval\b.* --pans", "takes 60 frames in a debug build; the tests of the runtime run it on fewer"),
]

# Exits with code 7 without a camera, see docs/camera.md; only parsed on a machine with a camera.
CAMERA = r"^bloodseg (run|calibrate|flatfield) camera\d"

# An example of the library; `cargo test` builds it beside the program.
EXAMPLE = r"^cargo run --release -p bloodseg-vision --example (\w+) -- (.*)$"

# Not run: their flags are checked against the usage of the script, or the source of the trainer.
SCRIPT = r"^(scripts/[a-z0-9-]+|packaging/deb)(\s|$)"
TRAINER = r"^(scripts/)?train-host\s"

# Commands that need another machine, another program, or hours, with the reason.
NOT_HERE = [
    (r"^(cd|touch|alias|git clone)\s", "depends on the shell and the checkout"),
    (r"^sudo (apt|systemctl|usermod)\b", "changes the device"),
    (r"^(systemctl|journalctl)\b", "needs the service of the device"),
    (r"^(scp|ssh)\s", "needs a device on the network"),
    (r"^(job=\$\()?sbatch\s", "needs a Slurm cluster; the test of the runtime runs the script of the array"),
    (r"^kubectl\s", "needs a Kubernetes cluster; the test of the runtime runs the command of the pod"),
    (r"^pip install WHEEL$", "changes the Python of the machine; scripts/test-python installs a wheel"),
    (r"^(minisign -V|sha256sum|install -m 755) ", "needs the files of a release; scripts/test-release checks them"),
    (r"^docker compose\s", "needs a container engine; scripts/test-fleet sets up the same files without one"),
    (r"^mosquitto_sub\s", "needs the broker of the fleet; scripts/test-fleet runs this line"),
]

LOOKS_LIKE_A_COMMAND = r"^\s*(\$ |sudo |bloodseg [a-z-]|cargo [a-z]|scripts/[a-z-]+(\s|$)|packaging/deb\b)"

Command = collections.namedtuple("Command", "line text")


# --- Reading documents ---


def read(text):
    """Commands in code blocks, faults of the blocks, and commands in running text."""
    commands, faults, prose, language, continued = [], [], [], None, ""
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"^\s*```\s*(\S*)", line)
        if fence:
            if language is None:
                language = fence[1]
            else:
                language, continued = None, ""
            prose.append("")
        elif language is None:
            prose.append(line)
        elif language in ("", "sh", "console"):
            bare = continued + re.split(r"\s{2,}", line.strip())[0].removeprefix("$ ")
            if bare.endswith("\\"):
                continued = bare[:-1]
            else:
                continued = ""
                if bare:
                    commands.append(Command(number, bare))
        elif re.match(LOOKS_LIKE_A_COMMAND, line):
            faults.append(f"line {number}: a command in a block with the language {language!r}, which is not run: {line.strip()}")
    spans = []
    for span in re.finditer(r"`([^`]+)`", "\n".join(prose)):
        number = "\n".join(prose).count("\n", 0, span.start()) + 1
        spans.append(Command(number, " ".join(span[1].replace("\\|", "|").split())))
    return commands, faults, spans


# --- Help and usage of the program and the scripts ---


@functools.lru_cache(None)
def help_of(*command):
    done = subprocess.run([args.binary, *command, "--help"], capture_output=True, text=True, timeout=LONGEST_S)
    return done.stdout if done.returncode == 0 else None


@functools.lru_cache(None)
def commands_of(*command):
    listed = re.search(r"^Commands:\n((?: .*\n|\n)*?)(?=^\S)", help_of(*command), re.M)
    return re.findall(r"^  ([a-z]\S*)", listed[1], re.M) if listed else []


def flags_of(words):
    return [word.split("=")[0] for word in (word.strip("[]") for word in words) if re.match(r"^--?[a-z]", word)]


def has_flag(flag, text):
    return re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text)


def fault_of_program(words):
    """The fault in the command or the flags of `bloodseg WORDS`, or None."""
    path, before = [], ""
    for word in words:
        is_value, before = before in ("--models", "--slots", "--config"), word
        if word in commands_of(*path) and not is_value:
            path.append(word)
            if path[0] == "help":
                break
    named = [word for word in words if re.match(r"^[a-z][a-z-]*$", word)]
    if not path and named and not words[0].startswith("-"):
        return f"unknown command {named[0]!r}"
    if path and path[0] == "help":
        return None
    for flag in flags_of(words):
        if flag not in ("--help", "--version") and not has_flag(flag, help_of(*path)):
            return f"`bloodseg {' '.join(path)}` has no {flag}"
    return None


@functools.lru_cache(None)
def usage_of_script(script):
    """The lines that document the arguments of a script: comments, usage, argument cases, and its Python part."""
    path = ROOT / script
    text = path.read_text()
    lines = [line for line in text.splitlines() if line.startswith("#") or "usage" in line or "expected" in line
             or re.match(r"^\s*\"?(-[\w-]+\|?)+\"?\)", line)]
    python = path.with_suffix(".py")
    if python.is_file():
        lines += re.findall(r"add_argument\(\"(--[\w-]+)", python.read_text())
    return "\n".join(lines)


def fault_of_script(words):
    path = ROOT / words[0]
    if not path.is_file():
        return f"missing script {words[0]}"
    if not os.access(path, os.X_OK):
        return f"{words[0]} is not executable"
    # Arguments after `bloodseg` are passed on to the program.
    own = words[1:words.index("bloodseg")] if "bloodseg" in words else words[1:]
    for flag in flags_of(own):
        if not has_flag(flag, usage_of_script(words[0])):
            return f"{words[0]} does not document {flag}"
    if "bloodseg" in words:
        return fault_of_program(words[words.index("bloodseg") + 1:])
    return None


def fault_of_trainer(words):
    """The fault in a command of the trainer, or None. Reads its source, because its build needs libtorch."""
    source = (ROOT / "train-host/src/cli.rs").read_text()
    commands = dict(re.findall(r"^    (\w+)\((\w+)\),", source, re.M))
    words = words[1:] if words[:1] == ["--cuda"] else words
    fields = commands.get(words[0].capitalize()) if words else None
    if fields is None:
        return f"unknown command of the trainer {' '.join(words[:1])!r}"
    body = re.search(rf"pub struct {fields} {{\n(.*?)^}}", source, re.M | re.S)[1]
    known = {name.replace("_", "-") for name in re.findall(r"^    pub (\w+):", body, re.M)} | {"verbose", "quiet", "help"}
    for flag in flags_of(words[1:]):
        if flag.startswith("--") and flag[2:] not in known:
            return f"`train-host {words[0]}` has no {flag}"
    return None


def fault_of_span(text):
    """The fault in a command in running text; None if there is none, or it is not a command."""
    words = re.split(r" [|>] ", text)[0].removeprefix("sudo ").split()
    if len(words) < 2:
        return None
    if words[0] == "bloodseg":
        return fault_of_program(words[1:])
    if re.match(TRAINER, text):
        return fault_of_trainer(words[1:])
    if re.match(SCRIPT, text):
        return fault_of_script(words)
    # A command without `bloodseg`, as in tables: `models pack DIR --out FILE`. A single word is not a command.
    if words[0] in commands_of() and (flags_of(words) or words[1] in commands_of(words[0])):
        return fault_of_program(words)
    return None


# --- The folder in which the commands of a document run ---


def thumbnail(path):
    """A PNG of the repository reduced to the 64x64 of a sensor, by sampling pixels."""
    data, at, packed = path.read_bytes(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height = struct.unpack(">II", data[at + 8:at + 16])
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    raw, row_bytes, above, rows = zlib.decompress(packed), 3 * width, bytes(3 * width), []
    for y in range(height):
        kind, row = raw[y * (row_bytes + 1)], bytearray(raw[y * (row_bytes + 1) + 1:(y + 1) * (row_bytes + 1)])
        for x in range(row_bytes):
            left, up, corner = (row[x - 3], above[x], above[x - 3]) if x >= 3 else (0, above[x], 0)
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda value: abs(guess - value))
            row[x] = (row[x] + [0, left, up, (left + up) // 2, paeth][kind]) & 255
        above = bytes(row)
        rows.append(above)
    small = b"".join(b"\0" + b"".join(rows[y][3 * x:3 * x + 3] for x in range(2, width, width // 64)) for y in range(2, height, height // 64))
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(small)) + chunk(b"IEND", b"")


work = pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-docs-"))
tools = work / "tools"
tools.mkdir()
(tools / "bloodseg").symlink_to(args.binary)
environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(work)}
environment.pop("RUST_LOG", None)


def call(line, folder):
    """Exit code, the last lines of the output, and the duration in seconds."""
    start = time.monotonic()
    try:
        done = subprocess.run(["bash", "-o", "pipefail", "-c", line], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=LONGEST_S)
        return done.returncode, "\n".join([line for line in done.stdout.splitlines() if line.strip()][-4:]), time.monotonic() - start
    except subprocess.TimeoutExpired:
        return None, f"took more than {LONGEST_S} s", LONGEST_S


def run_setup(line, folder):
    code, output, _ = call(line, folder)
    if code != 0:
        sys.exit(f"docs: setup failed: {line}: exit code {code}: {output}")


def prepare():
    """The files that documents assume: pictures, a labelled set, models, keys, a bundle, records of three runs."""
    base = work / "base"
    for folder in ("folder", "archive", "etc", "set", "data/synth"):
        (base / folder).mkdir(parents=True)
    frame = thumbnail(ROOT / "docs/demo.lr.png")
    for name in ("frame.png", "folder/a.png", "archive/b.png", "archive/c.png"):
        (base / name).write_bytes(frame)
    shutil.copy(ROOT / "data/synth/img/smear_0001.jpg", base / "field.jpg")
    # A labelled set of one field.
    for kind in ("img", "mask", "labels"):
        (base / "data/synth" / kind).mkdir()
        shutil.copy(ROOT / f"data/synth/{kind}/smear_0000.png", base / "data/synth" / kind)
    (base / "set/val_tmp").symlink_to("../data/synth")
    shutil.copytree(ROOT / "models", base / "models")
    (base / "bloodseg.toml").write_text("[source.camera0]\nkind = \"camera\"\n")
    (base / "etc/config.toml").write_text("[models]\nslots = \"../slots\"\nkey_file = \"../maker.pub\"\n")
    run_setup("bloodseg models keygen --out maker && bloodseg models pack models --out new.bloodseg --key maker.key", base)
    for _ in range(3):
        run_setup("bloodseg run folder/ --frames 1 --http off --out results", base)
    return base


def document_folder(base, document):
    """A folder for the document, without the files that its commands create."""
    folder = work / document.replace("/", "-").removesuffix(".md")
    shutil.copytree(base, folder, symlinks=True)
    if document == "docs/bundle.md":
        for name in ("maker.key", "maker.pub", "new.bloodseg", "new.bloodseg.minisig"):
            (folder / name).unlink()
    if document in ("docs/guide.md", "docs/archive.md", "README.md", "set"):
        shutil.rmtree(folder / "results")
    if document == "docs/report.md":
        # The document expects one folder with records in results/.
        shutil.copytree(base / "results", folder / "results/demo")
    return folder


# --- Checking ---

lock, once, not_run, ran = threading.Lock(), {}, collections.defaultdict(list), []


def note(reason, document, command):
    with lock:
        not_run[reason].append(f"{document}:{command.line}: {command.text}")


def run_once(line, folder):
    """Runs a command. Those in ONCE run for the first document only, because no document uses their files."""
    if line not in ONCE:
        return call(line, folder)
    with lock:
        future = once.get(line)
        mine = future is None
        if mine:
            future = once[line] = concurrent.futures.Future()
    if mine:
        future.set_result(call(line, folder))
    return future.result()


def check_command(document, command, folder):
    """The fault of a command in a code block, or None. `folder` is created on first use."""
    line = re.sub(r"^cargo run --release --( |$)", r"bloodseg\1", command.text)
    line = re.sub(r"^sudo (?=bloodseg )", "", line)
    for pattern, reason in NOT_HERE:
        if re.match(pattern, line):
            return note(reason, document, command)
    if re.match(TRAINER, line):
        note("the trainer needs libtorch, data and hours; only its flags are checked", document, command)
        return fault_of_trainer(line.split()[1:])
    if re.match(SCRIPT, line):
        note("scripts build, download or boot; only their flags are checked", document, command)
        return fault_of_script(line.split())
    example = re.match(EXAMPLE, line)
    if example:
        program = pathlib.Path(args.binary).parent / "examples" / example[1]
        if not program.is_file():
            return note("`cargo test` has not built the examples of the library beside the program", document, command)
        line = f"{program} {example[2]}"
    elif not re.match(r"^bloodseg\s", line):
        return "unknown command; expected `bloodseg ...`, `cargo run --release -- ...`, a script, or a command in NOT_HERE of " \
               "test-docs.py (a block that does not contain commands must name its language)"
    if re.search(r"[;&`$]|\|(?! head\b)", line):
        return "more than one command on a line"
    for pattern, instead in SUBSTITUTES.items():
        line = re.sub(pattern, instead, line)
    expected, reason = 0, next((reason for pattern, reason in PARSED if re.match(pattern, line)), None)
    if re.match(CAMERA, line):
        reason = "this machine has a camera, which is not used; only parsed" if os.path.exists("/dev/video0") else None
        expected = 7
    shorter = next((instead for pattern, instead in SHORTENED if re.match(pattern, line)), None)
    if args.list:
        done = "parsed" if reason else f"exit code {expected}: {shorter or line}"
        return print(f"{document}:{command.line}: {command.text}\n    {done}")
    if reason or shorter:
        code, output, _ = call(re.sub(r"(?= [|>] |$)", " --help", line, count=1), folder())
        if code != 0:
            return f"cannot be parsed: {output}"
    if reason:
        return note(reason, document, command)
    code, output, seconds = run_once(shorter or line, folder())
    with lock:
        ran.append((seconds, f"{document}:{command.line}: {command.text}"))
    if code != expected:
        return f"exit code {code}, expected {expected}\n    {output}".replace("\n", "\n    ")
    return None


def check(document, text, base):
    """The faults of a document, and its number of commands."""
    commands, faults, spans = read(text)
    created = []

    def folder():
        if not created:
            created.append(document_folder(base, document))
        return created[0]

    for command in commands:
        fault = check_command(document, command, folder)
        if fault:
            faults.append(f"line {command.line}: {command.text}: {fault}")
    for span in spans:
        fault = fault_of_span(span.text)
        if fault:
            faults.append(f"line {span.line}: {span.text}: {fault}")
    return faults, len(commands)


# Each of these documents has one fault.
WRONG = {
    "an unknown flag": "```\nbloodseg segment frame.png --out results --no-such-flag\n```",
    "an unknown flag of a camera command": "```\nbloodseg run camera0 --no-such-flag\n```",
    "an unknown flag of a command that is only parsed": "```\nbloodseg eval data/synth --robustness --no-such-flag\n```",
    "an unknown flag of a shortened command": "```\nbloodseg bench --no-such-flag\n```",
    "a missing file": "```sh\nbloodseg segment missing.png --out elsewhere     explained\n```",
    "an unknown command": "```\nbloodseg frobnicate\n```",
    "an unknown flag after `cargo run`": "```\ncargo run --release -- models list --no-such-flag\n```",
    "an unknown program": "```\nfrobnicate now\n```",
    "two commands on a line": "```\nbloodseg --version; frobnicate\n```",
    "a missing script": "```\nscripts/no-such-script\n```",
    "an unknown flag of a script": "```\nscripts/test-page --no-such-flag\n```",
    "an unknown flag of bloodseg after `scripts/box`": "```\nscripts/box bloodseg run camera0 --no-such-flag\n```",
    "an unknown flag of the trainer": "```\nscripts/train-host ssr --no-such-flag\n```",
    "a command in a block that is not run": "```text\nbloodseg run demo\n```",
    "an unknown flag in running text": "See `bloodseg export\n--no-such-flag`.",
    "an unknown flag in a table": "| `models pack DIR --no-such-flag` |",
}
RIGHT = ("```\nbloodseg --version     said\ncargo run --release -- config print | head\nscripts/test-page --shots DIR\nscp a b:\n```\n"
         "```toml\n[mqtt]\n```\n`bloodseg export --format csv`, `train-host stains --data DIR`, `cells`")


def self_test(base):
    for what, text in WRONG.items():
        if not check("wrong", text, base)[0]:
            sys.exit(f"docs: self-test failed: {what} is accepted")
        shutil.rmtree(work / "wrong", ignore_errors=True)
    faults, count = check("right", RIGHT, base)
    if faults or count != 4:
        sys.exit(f"docs: self-test failed: a correct document has {count} commands, expected 4, and the faults {faults}")
    not_run.clear()
    ran.clear()
    print(f"docs: self-test: {len(WRONG)} faulty documents are rejected", flush=True)


def main():
    documents = [document for document in DOCUMENTS if args.only in (None, document)]
    if not documents:
        sys.exit(f"docs: unknown document {args.only!r}; expected one of {', '.join(DOCUMENTS)}")
    start = time.monotonic()
    if args.list:
        base = None
    else:
        base = prepare()
        self_test(base)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(1 if args.list else 2) as pool:
        texts = [(ROOT / document).read_text() for document in documents]
        for document, (faults, count) in zip(documents, pool.map(check, documents, texts, [base] * len(documents))):
            print(f"docs: {document}: {count} commands" + (f", {len(faults)} FAULTS" if faults else ""), flush=True)
            for fault in faults:
                failed += 1
                print(f"docs:   {document}: {fault}", file=sys.stderr, flush=True)
    for reason, commands in sorted(not_run.items()):
        print(f"docs: not run here: {reason}:")
        for command in sorted(commands):
            print(f"docs:   {command}")
    if args.list:
        return
    slowest = ", ".join(f"{name} ({seconds:.0f} s)" for seconds, name in sorted(ran, reverse=True)[:3])
    print(f"docs: {len(ran)} commands run, {sum(map(len, not_run.values()))} not, {failed} faults, "
          f"{time.monotonic() - start:.0f} s; slowest: {slowest}")
    sys.exit(1 if failed else 0)


try:
    main()
finally:
    shutil.rmtree(work, ignore_errors=True)
