"""The checks of scripts/test-page: the page of healthy and of other runs in a browser."""

import argparse
import base64
import contextlib
import functools
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from browser import LONGEST_S, Browser, Tab

arguments = argparse.ArgumentParser()
arguments.add_argument("--chromium", required=True)
arguments.add_argument("--binary", required=True)
arguments.add_argument("--shots", type=pathlib.Path)
arguments.add_argument("--only", help="one state alone, by its name")
args = arguments.parse_args()
work = pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-page-"))

# A page without updates is stale after this, unless frames have a longer interval (STALE_MS of the page).
STALE_S = 6

LOADED = "['lr','sr','overlay'].every(id => document.getElementById(id).naturalWidth > 0)"
# All loaded pictures are of the frame whose numbers are shown.
OF_ONE_FRAME = ("[...document.querySelectorAll('#pictures img')].every(image => !image.hasAttribute('src') ||"
                " new URL(image.src).searchParams.get('frame') === String(view.frame) && image.naturalWidth > 0)")
ALARM = "document.getElementById('alarm').innerText"
STALE = "document.body.dataset.stale"

checks = 0


def check(is_so, what):
    global checks
    if not is_so:
        sys.exit(f"page: {what}")
    checks += 1
    print(f"page: ok: {what}", flush=True)


class Run:
    """A run with a page, killed on exit. Its output is read, so that the pipe does not fill up."""

    def __init__(self, source, *more, config="", address="127.0.0.1:0", out="results"):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=work))
        (self.folder / "c.toml").write_text(config)
        self.out = self.folder / out
        command = [args.binary, "--config", "c.toml", "run", str(source), "--out", out, "--http", address, *more]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        self.url, self.frames = None, 0
        self.printed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.wait(lambda: self.url, "the run prints the address of its page")

    def read(self):
        for line in self.process.stdout:
            with self.printed:
                if line.startswith("page "):
                    self.url = line.split()[1]
                self.frames += line.startswith("frame ")
                self.printed.notify_all()

    def wait(self, is_so, what):
        with self.printed:
            if not self.printed.wait_for(is_so, LONGEST_S):
                sys.exit(f"page: waited in vain until {what}")

    def wait_frames(self, frames):
        self.wait(lambda: self.frames >= frames, f"there are {frames} frames")

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=LONGEST_S) as answer:
            return answer.read()

    def latest(self):
        return json.loads(self.ask("api/latest"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def demo(*more, fps="5", **options):
    return Run("demo", "--fps", fps, "--frames", "1000000", *more, **options)


def healthy_run(browser):
    """The page of a healthy run, with keys and on a phone; then after the run is lost, and after another one starts."""
    # The demo has a pitch, so the histogram is in micrometres; the budget is shown beside the memory.
    program_mib = os.path.getsize(args.binary) >> 20
    with demo(config=f"[budget]\ntotal_mib = {program_mib + 24}\n") as run:
        # Enough frames for a trend.
        run.wait_frames(12)
        tab = Tab(browser, run.url)
        tab.wait(LOADED, "three pictures are loaded")
        sizes = tab.value("['lr','sr','overlay'].map(id => document.getElementById(id).naturalWidth)")
        check(sizes == [64, 256, 256], "the pictures have their sizes")
        check(tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(244, 245, 247)", "the style is allowed")
        tab.wait("document.getElementById('state').textContent === 'running'", "the state is running")
        first = tab.value("view.frame")
        tab.wait(f"view.frame > {first} + 3", "new frames come by themselves")
        check(tab.value("document.getElementById('alarm').hidden"), "nothing is amiss, and nothing says so")
        check_charts(tab)
        check_keys(tab)
        check_freeze(tab, run)
        if args.shots:
            take_screenshot(tab, run)
        check_phone(tab)
        foreign = [url for url in tab.requested_urls() if not url.startswith(run.url) and not url.startswith("about:")]
        check(foreign == [], f"no other host is asked {foreign}")
        check(tab.console_errors() == [], f"the console is silent {tab.console_errors()}")
        before = run.latest()["counts"]
        check(before["captured"] >= before["analysed"] > 12, "the run goes on")
        address = run.url.removeprefix("http://").rstrip("/")
    check_lost_run(tab)
    tab.value("document.querySelector('#model-cards details').dataset.mark = 'old'")
    old = tab.value("view.frame")
    with demo(address=address) as run:
        tab.wait(f"view.frame > 0 && view.frame < {old} && {STALE} === 'no'", "the frames of another run are shown")
        check(tab.value("document.querySelectorAll('#model-cards details').length") == 2, "with its models")
        check(tab.value("!document.querySelector('#model-cards [data-mark]')"), "which are not those of the run before")
        check(tab.value(OF_ONE_FRAME), "and no picture of the run before")
    tab.close()


def check_charts(tab):
    check(tab.value("document.querySelectorAll('#trend path').length") == 1, "the trend is drawn")
    check(tab.value("document.querySelectorAll('#diameters rect').length") > 3, "the diameters are drawn")
    check("micrometres" in tab.value("document.getElementById('diameters-title').textContent"), "in micrometres")
    check(tab.value("document.querySelectorAll('#model-cards details').length") == 2, "both models have their cards")
    check("MiB" in tab.value("document.getElementById('budget').textContent"), "memory stands against its budget")
    unnamed = tab.value("[...document.querySelectorAll('button, img, svg')].filter(e => !(e.textContent.trim() ||"
                        " e.alt || e.getAttribute('aria-label'))).length")
    check(unnamed == 0, "every button and picture has a name")
    bars = tab.value("[...document.querySelectorAll('#memory rect[class^=part]')].map(e => e.getAttribute('class'))")
    keyed = tab.value("[...document.querySelectorAll('[aria-labelledby=memory-title] dt .key')].map(e => e.classList[1])")
    check(sorted(bars) == sorted(keyed) and len(bars) == 2, "each bar of the memory has its key")
    for chart, words in (("memory", ["Resident", "heap", "budget", "MiB"]), ("times", ["Segmentation", "in total", " ms"])):
        label = tab.value(f"document.getElementById('{chart}').getAttribute('aria-label')")
        check(all(word in label for word in words), f"who does not see the bars of {chart} hears their values")


def check_keys(tab):
    for key, name in (("1", "lr"), ("2", "sr"), ("3", "overlay"), ("0", "all")):
        tab.key(key)
        shown = tab.value("[...document.querySelectorAll('figure')].filter(f => f.offsetParent).map(f => f.id.slice(3))")
        check(shown == (["lr", "sr", "overlay"] if name == "all" else [name]), f"key {key} shows {name}")
        check(tab.value(OF_ONE_FRAME), "and no picture of another frame")
    tab.wait(LOADED, "three pictures are loaded again")
    tab.key("?")
    check(tab.value("document.getElementById('help').open"), "? shows the keys")
    tab.key("Escape")
    tab.wait("!document.getElementById('help').open", "Escape closes them")
    theme = "document.documentElement.dataset.theme"
    tab.key("d")
    check(tab.value(theme) == "dark", "d makes it dark")
    check(tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)", "and dark is dark")
    # Registered after the listener of the page, so it is notified later.
    tab.value("window.systems = 0; window.system = matchMedia('(prefers-color-scheme: dark)');"
              " system.addEventListener('change', () => window.systems++)")
    for times, dark in enumerate((True, False), 1):
        tab.dark(dark)
        tab.wait(f"window.systems === {times}", "the system changes")
        check(tab.value(theme) == "dark", "which does not change what was chosen")
    tab.key("d")


def check_freeze(tab, run):
    # Only visible pictures are loaded, but freezing loads all of them.
    tab.key("3")
    tab.wait("!document.getElementById('lr').hasAttribute('src') && document.getElementById('overlay').naturalWidth > 0",
             "what is not seen is not loaded")
    tab.key(" ")
    tab.wait("settled() && !view.busy", "Space freezes")
    shown_frame = tab.value("({frame: view.frame, shown: document.getElementById('count').textContent,"
                     " counted: view.latest.frame.counted, cells: view.latest.frame.cells})")
    cells = json.loads(run.ask(f"api/cells?since={shown_frame['frame'] - 1}"))["cells"]
    # The list includes platelets, which are counted separately.
    cells = [cell for cell in cells if cell["frame"] == shown_frame["frame"] and cell["kind"] != "platelet"]
    shown = int(shown_frame["shown"]) if shown_frame["counted"] else 0
    check(shown == shown_frame["cells"] == len(cells), f"the count that is shown ({shown}) is that of /api/latest and /api/cells")
    # No matter for how long it has been frozen.
    until = time.monotonic() + STALE_S + 2
    while time.monotonic() < until:
        words = tab.value(ALARM)
        if tab.value(STALE) != "no" or "Frozen" not in words or "No new" in words:
            sys.exit(f"page: a frozen page that says {words!r}, stale: {tab.value(STALE)}")
        time.sleep(0.25)
    check(True, "a page that is frozen for long says that it is, and is not called old")
    check(tab.value("view.frame") == shown_frame["frame"], "and stays")
    check(tab.value("view.heard.frame.number") > shown_frame["frame"], "but hears how the run is")
    tab.key("0")
    check(tab.value(f"{LOADED} && {OF_ONE_FRAME} && view.frame === {shown_frame['frame']}"), "all three pictures of the frozen frame are there")
    tab.key(" ")
    tab.wait(f"view.frame > {shown_frame['frame']}", "Space goes on")
    check_freeze_during_request(tab)


def check_freeze_during_request(tab):
    """All pictures are visible, and the numbers of the next frame are on their way."""
    tab.wait(LOADED, "three pictures are loaded")
    tab.value("window.release = null; window.promptFetch = fetch; window.fetch = async (...what) => {"
              " const answer = await promptFetch(...what), complete = new Response(await answer.blob(), answer);"
              " await new Promise(done => { window.release = done; }); return complete; }; 0")
    tab.wait("release !== null", "a response is late")
    tab.key(" ")
    frozen = tab.value("({frame: view.frame, settled: settled(), busy: view.busy})")
    check(frozen["settled"] and frozen["busy"], "all pictures are frozen before the response arrives")
    tab.value("window.fetch = promptFetch; release()")
    tab.wait("!view.busy", "the response arrives")
    check(tab.value(f"view.frame === {frozen['frame']} && {LOADED} && {OF_ONE_FRAME}"), "and the frozen frame stays")
    tab.key(" ")
    tab.wait(f"view.frame > {frozen['frame']}", "Space resumes")


def take_screenshot(tab, run):
    args.shots.mkdir(parents=True, exist_ok=True)
    dropped = run.latest()["counts"]["dropped"]
    check(dropped == 0, f"a page that is shown around has not dropped frames ({dropped}): give a release build")
    tab.size(1280, tab.value("document.documentElement.scrollHeight"))
    tab.wait(LOADED, "three pictures are loaded")
    tab.screenshot(args.shots / "page.png")


def check_phone(tab):
    tab.dark(True)
    tab.value("localStorage.clear()")
    for width in (360, 320, 768):
        tab.size(width, 780, phone=width < 700)
        tab.send("Page.reload")
        tab.wait("view.latest && document.getElementById('overlay').naturalWidth > 0", "the page is there again")
        wide = tab.value("document.documentElement.scrollWidth")
        check(wide <= width, f"at {width} px nothing is scrolled sideways")
        check(tab.value("document.documentElement.dataset.theme") == "dark", "a dark system has a dark page")
        if width == 360:
            small = tab.value("[...document.querySelectorAll('button')].filter(b => b.offsetParent &&"
                              " b.getBoundingClientRect().height < 36).length")
            check(small == 0, "buttons are large enough for a finger")
            if args.shots:
                tab.size(360, 1100, scale=2, phone=True)
                time.sleep(0.5)
                tab.screenshot(args.shots / "page-phone.png")
    tab.dark(False)
    tab.size(1280, 900)


def check_lost_run(tab):
    """The run was killed."""
    tab.wait(f"{STALE} === 'yes' && {ALARM}.includes('lost')", "a page whose run is gone says so")
    check(tab.value("document.getElementById('state').textContent") == "not connected", "a dead page looks dead")
    # Screen readers announce it only once.
    tab.value("window.changes = 0; new MutationObserver(() => window.changes++).observe("
              "document.querySelector('#alarm [role=alert]'), {childList: true, characterData: true, subtree: true})")
    words = tab.value(ALARM)
    tab.wait(f"{ALARM} !== {json.dumps(words)}", "the time since is shown again")
    tab.wait(f"!{ALARM}.includes({json.dumps(words[-8:])})", "and again")
    check(tab.value("window.changes") == 0, "but not read out again")


def two_viewers(browser):
    """Two viewers, with frames arriving faster than either polls."""
    with demo(fps="20") as run:
        run.wait_frames(1)
        tabs = [Tab(browser, run.url) for _ in range(2)]
        tabs[1].wait("view.latest", "the page listens to keys")
        tabs[1].key("3")
        tabs[0].wait(LOADED, "one has pictures")
        tabs[1].wait("document.getElementById('overlay').naturalWidth > 0", "and the other")
        first = [tab.value("view.frame") for tab in tabs]
        for tab in tabs * 10:
            if not tab.value(OF_ONE_FRAME):
                sys.exit("page: numbers of one frame, and pictures of another")
            time.sleep(0.1)
        check(True, "numbers and pictures are of one frame while two look on")
        for tab, frame in zip(tabs, first):
            tab.wait(f"view.frame > {frame}", "and for both they go on")
        tabs[1].key(" ")
        tabs[1].wait("settled()", "one freezes")
        held = tabs[1].value("view.frame")
        tabs[0].wait(f"view.frame > {held} + 5", "while the other goes on")
        tabs[1].key("0")
        check(tabs[1].value(f"{LOADED} && {OF_ONE_FRAME} && view.frame === {held}"), "the frozen one has all three pictures")
        check([tab.console_errors() for tab in tabs] == [[], []], "and both consoles are silent")
        for tab in tabs:
            tab.close()


def slow_source(browser):
    """With a frame every eight seconds, a frame is not stale after six."""
    with demo(fps="0.12") as run:
        tab = Tab(browser, run.url)
        tab.wait("view.latest.frame.interval_ms > 7000", "there are two frames, far apart")
        frame = tab.value("view.frame")
        tab.wait(f"performance.now() - view.frameAt > {STALE_S + 1}000 || view.frame > {frame}", "the next one is waited for")
        check(tab.value(f"{STALE} === 'no' && document.getElementById('alarm').hidden"), "a slow source is not called late")
        tab.close()


def without_calibration(browser):
    """A folder without a pitch, whose first pictures are unreadable: at first no frame, then lengths in pixels."""
    with demo() as run:
        run.wait_frames(1)
        picture = run.ask("picture/latest.lr.png")
    folder = work / "uncalibrated"
    folder.mkdir()
    for number in range(30):
        (folder / f"a{number:02}.png").write_bytes(b"no picture")
    (folder / "b.png").write_bytes(picture)
    with Run(folder, "--fps", "4", "--repeat", "--as-is") as run:
        tab = Tab(browser, run.url)
        tab.wait("view.heard && !view.heard.frame && document.getElementById('quality').textContent === 'no frame yet'",
                 "a page without a frame says so")
        check(tab.value("document.getElementById('count').textContent") == "–", "and counts none")
        check(tab.value("document.getElementById('trend').getAttribute('aria-label')") == "No counted frame yet", "nor draws any")
        tab.wait(f"view.frame > 0 && {LOADED}", "the first frame is shown when it comes")
        check("pixels" in tab.value("document.getElementById('diameters-title').textContent"), "without a pitch, in pixels")
        check("px" in tab.value("document.getElementById('diameters').textContent"), "of the analysed picture")
        check("not known" in tab.value("document.getElementById('scale').textContent"), "and the scale says so")
        check(tab.value("document.getElementById('budget').textContent") == "none set", "memory without a budget")
        check(tab.console_errors() == [], f"the console is silent {tab.console_errors()}")
        tab.close()


def degraded(browser):
    """Another process keeps the records locked."""
    with demo() as run:
        run.wait_frames(2)
        tab = Tab(browser, run.url)
        tab.wait("document.getElementById('state').textContent === 'running'", "all is well")
        with contextlib.closing(sqlite3.connect(run.out / "records.sqlite", isolation_level=None, timeout=LONGEST_S)) as records:
            records.execute("BEGIN IMMEDIATE")
            tab.wait("document.getElementById('state').textContent === 'degraded'", "a run whose records are not kept says so")
            tab.wait(f"{ALARM}.includes('not kept')", "and what is amiss")
            check(tab.value("document.getElementById('state').dataset.is") == "warn", "in the colour of a warning")
            frame = tab.value("view.frame")
            tab.wait(f"view.frame > {frame}", "while frames go on")
            records.execute("ROLLBACK")
        tab.wait("document.getElementById('state').textContent === 'running' && document.getElementById('alarm').hidden",
                 "when it is well again, nothing is said")
        check(int(tab.value("document.getElementById('not-kept').textContent")) > 0, "but what was lost")
        tab.close()


def stopping(browser):
    """A run that ends and waits for a broker that acknowledges nothing."""
    broker = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            line, _ = broker.accept()
            threading.Thread(target=hear, args=(line,), daemon=True).start()

    def hear(line):
        # Accepts the connection, then stays silent.
        with contextlib.suppress(OSError):
            line.recv(1 << 16)
            line.sendall(b"\x20\x02\x00\x00")
            while line.recv(1 << 16):
                pass

    threading.Thread(target=answer, daemon=True).start()
    port = broker.getsockname()[1]
    with demo(config=f'[mqtt]\nbroker = "127.0.0.1:{port}"\nbox = "page"\n') as run:
        run.wait_frames(3)
        tab = Tab(browser, run.url)
        tab.wait(LOADED, "three pictures are loaded")
        # Records the states, because they are brief.
        tab.value("window.said = new Set(); setInterval(() => window.said.add(document.getElementById('state').textContent"
                  " + ': ' + document.getElementById('alarm').innerText), 50)")
        run.process.terminate()
        run.process.wait(LONGEST_S)
        tab.wait("document.getElementById('state').textContent === 'ended'", "a run that has ended says so")
        # Longer than the page takes to detect a lost run.
        time.sleep(STALE_S)
        check(tab.value("document.getElementById('state').textContent") == "ended", "and still does when it is gone")
        check("The run has ended" in tab.value(ALARM), "with its last values")
        said = tab.value("[...window.said].join('\\n')")
        check("lost" not in said, "and never calls the connection lost")
        tab.close()


def link_from_another_site(browser):
    """A link with the token on a page of another site."""
    token = "correct-horse-battery"
    config = '[http]\ntoken_file = "token"\n'
    folder = work / "elsewhere"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Outside the run's folder, which does not exist yet.
    (work / "token").write_text(token + "\n")
    with demo(config=config.replace('"token"', json.dumps(str(work / "token")))) as run:
        check(run.url.endswith("/?token=TOKEN"), "the address says where the token goes, and not the token")
        link = run.url.replace("TOKEN", token)
        (folder / "index.html").write_text(f'<!doctype html><title>elsewhere</title><a id="link" href="{link}">the bench</a>')
        # For a browser, localhost and 127.0.0.1 are different sites.
        tab = Tab(browser, f"http://localhost:{server.server_port}/index.html")
        tab.wait("document.getElementById('link') !== null", "the other site is there")
        tab.value("document.getElementById('link').click()")
        tab.wait(LOADED, "a link on another site leads to the page")
        check(token not in tab.value("location.href"), "and the token is gone from the address")
        tab.close()
    server.shutdown()


def printed_report(browser):
    """The report about a sample, printed for signature."""
    pictures = pathlib.Path(__file__).resolve().parent.parent / "data/synth/img"
    segment = [args.binary, "-q", "segment", str(pictures), "--out", "counted", "--sample", "S-17", "--operator", "A. B."]
    for command in (segment, [args.binary, "report", "--sample", "S-17", "--from", "counted", "--out", "report.html"]):
        done = subprocess.run(command, cwd=work, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"page: {' '.join(command)}: {done.stderr}")
    tab = Tab(browser, (work / "report.html").as_uri())
    tab.wait("document.readyState === 'complete'", "the report is there")
    check(tab.value("document.querySelectorAll('[href^=\"data:image\"]').length") > 10, "its pictures are in it")
    check(tab.value("['S-17', 'A. B.', 'Cells per field'].every(word => document.body.innerText.includes(word))"),
          "it names the sample, the operator and the count")
    # A4, in inches.
    printed = tab.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
    pdf = base64.b64decode(printed["data"])
    if args.shots:
        (args.shots / "report.pdf").write_bytes(pdf)
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
    check(pdf.startswith(b"%PDF-") and 1 <= pages <= 12, f"it prints to a PDF of {pages} pages")
    tab.size(794, 1123)
    tab.send("Emulation.setEmulatedMedia", media="print")
    check("Signature" in tab.value("document.body.innerText"), "there is a line to sign on")
    check(tab.value("document.documentElement.scrollWidth <= innerWidth"), "nothing of it is cut off at the edge of the paper")
    check(not [url for url in tab.requested_urls() if not url.startswith(("file:", "data:"))], "and it asks for nothing elsewhere")
    tab.close()


STATES = [healthy_run, two_viewers, slow_source, without_calibration, degraded, stopping, link_from_another_site, printed_report]
chosen = [state for state in STATES if args.only in (None, state.__name__)]
if not chosen:
    sys.exit(f"page: no state `{args.only}`; expected one of {', '.join(state.__name__ for state in STATES)}")
browser = Browser(args.chromium, work)
try:
    for state in chosen:
        print(f"page: {state.__name__.replace('_', ' ')}", flush=True)
        state(browser)
    print(f"page: {checks} checks passed")
finally:
    browser.end()
    browser.process.wait()
    shutil.rmtree(work, ignore_errors=True)
