"""The checks of scripts/test-page: the page of a run, in each of its states, in a browser."""

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
from ports import reserve_port

arguments = argparse.ArgumentParser()
arguments.add_argument("--chromium", required=True)
arguments.add_argument("--binary", required=True)
arguments.add_argument("--shots", type=pathlib.Path)
arguments.add_argument("--only", help="run only the state of this name")
args = arguments.parse_args()
work = pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-page-"))

# A page without updates is stale after this many seconds, or this many intervals between frames if that is longer. The
# same as STALE_MS and STALE_INTERVALS of the page.
STALE_S, STALE_INTERVALS = 6, 3

LOADED = "['lr','sr','overlay'].every(id => document.getElementById(id).naturalWidth > 0)"
# All loaded pictures are of the frame whose numbers are shown.
OF_ONE_FRAME = ("[...document.querySelectorAll('#pictures img')].every(image => !image.hasAttribute('src') ||"
                " new URL(image.src).searchParams.get('frame') === String(view.frame) && image.naturalWidth > 0)")
ALARM = "document.getElementById('alarm').innerText"
STALE = "document.body.dataset.stale"

checks = 0


def check(is_so, what, found=None):
    """Fails unless `is_so`. `what` is the expectation."""
    global checks
    if not is_so:
        sys.exit(f"page: FAILED: {what}" + ("" if found is None else f": found {found}"))
    checks += 1
    print(f"page: ok: {what}", flush=True)


def check_eventually(tab, condition, what, value="null"):
    """The same for a condition that becomes true in the page after some time. Returns `value` of that moment."""
    read = tab.wait(condition, what, value)
    check(True, what)
    return read


class Run:
    """A run with a page, killed on exit. A thread reads its output, so that the pipe does not fill up."""

    def __init__(self, source, *more, config="", address="127.0.0.1:0", out="results"):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=work))
        (self.folder / "c.toml").write_text(config)
        self.out = self.folder / out
        command = [args.binary, "--config", "c.toml", "run", str(source), "--out", out, "--http", address, *more]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        self.url, self.frames = None, 0
        self.printed = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.wait(lambda: self.url, "the run has printed the address of its page")

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
                sys.exit(f"page: timed out waiting until {what}")

    def wait_frames(self, frames):
        self.wait(lambda: self.frames >= frames, f"the run has printed {frames} frames")

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
    """A healthy run, with keys and on a phone; then the same tab after the run is killed and another run starts."""
    address = f"127.0.0.1:{reserve_port()}"
    # The demo has a pitch, so diameters are in micrometres; with a budget, the page shows it beside the memory.
    program_mib = os.path.getsize(args.binary) >> 20
    with demo(address=address, config=f"[budget]\ntotal_mib = {program_mib + 24}\n") as run:
        # Enough frames for a trend.
        run.wait_frames(12)
        tab = Tab(browser, run.url)
        sizes = tab.wait(LOADED, "all three pictures are loaded",
                         "['lr','sr','overlay'].map(id => document.getElementById(id).naturalWidth)")
        check(sizes == [64, 256, 256], "the pictures are 64, 256 and 256 px wide", sizes)
        background = tab.value("getComputedStyle(document.body).backgroundColor")
        check(background == "rgb(244, 245, 247)", "the background has the colour of the style sheet", background)
        first = tab.value("view.frame")
        check_eventually(tab, f"view.frame > {first} + 3", "new frames are shown without interaction")
        check_eventually(tab, "document.getElementById('state').textContent === 'running' && document.getElementById('alarm').hidden",
                         "a healthy run is shown as running, without an alarm")
        check_charts(tab)
        check_keys(tab)
        check_freeze(tab, run)
        if args.shots:
            take_screenshot(tab, run)
        check_phone(tab)
        foreign = [url for url in tab.requested_urls() if not url.startswith(run.url) and not url.startswith("about:")]
        check(foreign == [], "the page requests no other host", foreign)
        check(tab.console_errors() == [], "the console has no errors", tab.console_errors())
        # A response does not read its counters at one moment, so they are compared with those of the next response.
        analysed, captured = run.latest()["counts"]["analysed"], run.latest()["counts"]["captured"]
        check(captured >= analysed > 12, "/api/latest counts more than 12 analysed frames, and no more than were captured",
              f"{analysed} analysed, {captured} captured")
    check_lost_run(tab)
    tab.value("document.querySelector('#model-cards details').dataset.mark = 'old'")
    with demo(address=address) as run:
        started = json.dumps(run.latest()["run"]["started_utc"])
        check_eventually(tab, f"view.latest.run.started_utc === {started} && view.frame > 0 && {STALE} === 'no'",
                         "the frames of a new run at the same address are shown")
        check(tab.value("document.querySelectorAll('#model-cards details').length") == 2, "the new run has two model cards")
        check(tab.value("!document.querySelector('#model-cards [data-mark]')"), "the model cards of the lost run are replaced")
        check(tab.value(OF_ONE_FRAME), "no picture of the lost run remains")
    tab.close()


def check_charts(tab):
    check(tab.value("document.querySelectorAll('#trend path').length") == 1, "the trend chart has one line")
    check(tab.value("document.querySelectorAll('#diameters rect').length") > 3, "the diameter chart has more than three bars")
    check("micrometres" in tab.value("document.getElementById('diameters-title').textContent"),
          "with a pitch, diameters are in micrometres")
    check(tab.value("document.querySelectorAll('#model-cards details').length") == 2, "each of the two models has a card")
    check("MiB" in tab.value("document.getElementById('budget').textContent"), "the memory budget is shown")
    unnamed = tab.value("[...document.querySelectorAll('button, img, svg')].filter(e => !(e.textContent.trim() ||"
                        " e.alt || e.getAttribute('aria-label'))).length")
    check(unnamed == 0, "every button, picture and chart has an accessible name", f"{unnamed} without one")
    bars, keyed = tab.value("[[...document.querySelectorAll('#memory rect[class^=part]')].map(e => e.getAttribute('class')),"
                            " [...document.querySelectorAll('[aria-labelledby=memory-title] dt .key')].map(e => e.classList[1])]")
    check(sorted(bars) == sorted(keyed) and len(bars) == 2, "each of the two memory bars has a legend entry", f"{bars}, {keyed}")
    for chart, words in (("memory", ["Resident", "heap", "budget", "MiB"]), ("times", ["Segmentation", "in total", " ms"])):
        label = tab.value(f"document.getElementById('{chart}').getAttribute('aria-label')")
        check(all(word in label for word in words), f"the {chart} chart has a text alternative with its values", label)


def check_keys(tab):
    for key, name in (("1", "lr"), ("2", "sr"), ("3", "overlay"), ("0", "all")):
        tab.key(key)
        shown = tab.value("[...document.querySelectorAll('figure')].filter(f => f.offsetParent).map(f => f.id.slice(3))")
        check(shown == (["lr", "sr", "overlay"] if name == "all" else [name]),
              f"key {key} shows " + ("all three pictures" if name == "all" else f"only the picture {name}"), shown)
        check(tab.value(OF_ONE_FRAME), f"after key {key}, pictures and numbers are of one frame")
    tab.wait(LOADED, "all three pictures are loaded after key 0")
    tab.key("?")
    check(tab.value("document.getElementById('help').open"), "key ? opens the list of keys")
    tab.key("Escape")
    check_eventually(tab, "!document.getElementById('help').open", "key Escape closes the list of keys")
    theme = "document.documentElement.dataset.theme"
    tab.key("d")
    check(tab.value(theme) == "dark", "key d selects the dark theme")
    background = tab.value("getComputedStyle(document.body).backgroundColor")
    check(background == "rgb(15, 19, 24)", "the dark theme has a dark background", background)
    # Registered after the listener of the page, so it is notified later.
    tab.value("window.systems = 0; window.system = matchMedia('(prefers-color-scheme: dark)');"
              " system.addEventListener('change', () => window.systems++)")
    for times, dark in enumerate((True, False), 1):
        tab.dark(dark)
        tab.wait(f"window.systems === {times}", "the system setting has changed")
        check(tab.value(theme) == "dark", f"a selected theme stays when the system changes to {'dark' if dark else 'light'}")
    tab.key("d")


def check_freeze(tab, run):
    # Only visible pictures are loaded, but freezing loads all of them.
    tab.key("3")
    check_eventually(tab, "!document.getElementById('lr').hasAttribute('src') && document.getElementById('overlay').naturalWidth > 0",
                     "only the visible picture is loaded")
    for _ in range(20):
        tab.key(" ")
        frozen = tab.wait("settled() && !view.busy", "Space has frozen the page and all pictures are loaded",
                          "({number: view.frame, shown: document.getElementById('count').textContent,"
                          " counted: view.latest.frame.counted, cells: view.latest.frame.cells,"
                          " interval_ms: view.latest.frame.interval_ms ?? 0})")
        number = frozen["number"]
        recent = json.loads(run.ask(f"api/cells?since={number - 1}"))
        if recent["oldest"] is not None and recent["oldest"] <= number:
            break
        # The API keeps the cells of the last few seconds only, and this took longer.
        tab.key(" ")
        tab.wait(f"view.frame > {number}", "Space has resumed the page")
    # The list includes platelets, which are counted separately.
    cells = [cell for cell in recent["cells"] if cell["frame"] == number and cell["kind"] != "platelet"]
    shown = int(frozen["shown"]) if frozen["counted"] else 0
    check(shown == frozen["cells"] == len(cells), "the displayed count is that of /api/latest and /api/cells",
          f"{shown}, {frozen['cells']}, {len(cells)}")
    # Longer than a page that is not frozen may be without updates.
    limit_ms = max(1000 * STALE_S, STALE_INTERVALS * frozen["interval_ms"]) + 2000
    age_ms = 0
    while age_ms < limit_ms:
        age_ms, words, stale = tab.value(f"[performance.now() - view.frameAt, {ALARM}, {STALE}]")
        if stale != "no" or "Frozen" not in words or "No new" in words:
            sys.exit(f"page: FAILED: a frozen page says so and is not stale: found {words!r}, stale: {stale}")
        time.sleep(0.25)
    check(True, "a page that stays frozen says so, and is not stale")
    check(tab.value("view.frame") == number, "a frozen page keeps its frame")
    check_eventually(tab, f"view.heard.frame.number > {number}", "a frozen page still polls the run")
    tab.key("0")
    check(tab.value(f"{LOADED} && {OF_ONE_FRAME} && view.frame === {number}"), "a frozen page has all three pictures of its frame")
    tab.key(" ")
    check_eventually(tab, f"view.frame > {number}", "Space resumes a frozen page")
    check_freeze_during_request(tab)


def check_freeze_during_request(tab):
    """Freezes while all pictures are visible and the numbers of the next frame are requested."""
    tab.wait(LOADED, "all three pictures are loaded")
    tab.value("window.release = null; window.promptFetch = fetch; window.fetch = async (...what) => {"
              " const answer = await promptFetch(...what), complete = new Response(await answer.blob(), answer);"
              " await new Promise(done => { window.release = done; }); return complete; }; 0")
    tab.wait("release !== null", "a response is held back")
    tab.key(" ")
    number, is_settled, is_busy = tab.value("[view.frame, settled(), view.busy]")
    check(is_settled and is_busy, "Space freezes all three pictures during a request", f"settled: {is_settled}, busy: {is_busy}")
    tab.value("window.fetch = promptFetch; release()")
    tab.wait("!view.busy", "the response has arrived")
    check(tab.value(f"view.frame === {number} && {LOADED} && {OF_ONE_FRAME}"), "a late response does not replace the frozen frame")
    tab.key(" ")
    check_eventually(tab, f"view.frame > {number}", "Space resumes a page that was frozen during a request")


def take_screenshot(tab, run):
    args.shots.mkdir(parents=True, exist_ok=True)
    dropped = run.latest()["counts"]["dropped"]
    check(dropped == 0, "the run of the screenshot has dropped no frame; use a release build", dropped)
    tab.size(1280, tab.value("document.documentElement.scrollHeight"))
    tab.wait(LOADED, "all three pictures are loaded")
    tab.screenshot(args.shots / "page.png")


def check_phone(tab):
    tab.dark(True)
    tab.value("localStorage.clear()")
    for width in (360, 320, 768):
        tab.size(width, 780, phone=width < 700)
        # Until the navigation starts, expressions are evaluated in the old document.
        tab.value("window.isOld = true")
        tab.send("Page.reload")
        tab.wait("!window.isOld && view.latest && document.getElementById('overlay').naturalWidth > 0", "the page is reloaded")
        wide = tab.value("document.documentElement.scrollWidth")
        check(wide <= width, f"at {width} px the page does not scroll sideways", f"{wide} px")
        check(tab.value("document.documentElement.dataset.theme") == "dark", f"at {width} px the page is dark like the system")
        if width == 360:
            small = tab.value("[...document.querySelectorAll('button')].filter(b => b.offsetParent &&"
                              " b.getBoundingClientRect().height < 36).length")
            check(small == 0, f"at {width} px all buttons are at least 36 px high", f"{small} are not")
            if args.shots:
                tab.size(360, 1100, scale=2, phone=True)
                tab.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
                tab.screenshot(args.shots / "page-phone.png")
    tab.dark(False)
    tab.size(1280, 900)


def check_lost_run(tab):
    """The run was killed."""
    state = check_eventually(tab, f"{STALE} === 'yes' && {ALARM}.includes('lost')", "an alarm reports that the connection is lost",
                             "document.getElementById('state').textContent")
    check(state == "not connected", "without a connection the state is 'not connected'", state)
    # Screen readers read the alert when it changes, so the elapsed time is not part of it.
    tab.value("window.changes = 0; new MutationObserver(() => window.changes++).observe("
              "document.querySelector('#alarm [role=alert]'), {childList: true, characterData: true, subtree: true})")
    words = tab.value(ALARM)
    for _ in range(2):
        words = tab.wait(f"{ALARM} !== {json.dumps(words)}", "the elapsed time of the alarm is updated", ALARM)
    changes = tab.value("window.changes")
    check(changes == 0, "an update of the elapsed time does not change the alert", f"{changes} changes")


def two_viewers(browser):
    """Two viewers, with frames arriving faster than either polls."""
    with demo(fps="20") as run:
        run.wait_frames(1)
        tabs = [Tab(browser, run.url) for _ in range(2)]
        tabs[1].wait("view.latest", "the page of the second viewer handles keys")
        tabs[1].key("3")
        tabs[0].wait(LOADED, "the first viewer has all three pictures")
        tabs[1].wait("document.getElementById('overlay').naturalWidth > 0", "the second viewer has its picture")
        first = [tab.value("view.frame") for tab in tabs]
        for tab in tabs * 10:
            if not tab.value(OF_ONE_FRAME):
                sys.exit("page: FAILED: with two viewers, pictures and numbers are of one frame")
            time.sleep(0.1)
        check(True, "with two viewers, pictures and numbers are of one frame")
        for name, tab, frame in zip(("first", "second"), tabs, first):
            check_eventually(tab, f"view.frame > {frame}", f"new frames are shown to the {name} of two viewers")
        tabs[1].key(" ")
        frozen = tabs[1].wait("settled()", "Space has frozen the page of the second viewer", "view.frame")
        check_eventually(tabs[0], f"view.frame > {frozen} + 5", "new frames are shown to one viewer while the other has frozen")
        tabs[1].key("0")
        check(tabs[1].value(f"{LOADED} && {OF_ONE_FRAME} && view.frame === {frozen}"),
              "the viewer who has frozen has all three pictures of that frame")
        errors = [tab.console_errors() for tab in tabs]
        check(errors == [[], []], "the consoles of both viewers have no errors", errors)
        for tab in tabs:
            tab.close()


def slow_source(browser):
    """A frame every eight seconds."""
    with demo(fps="0.12") as run:
        tab = Tab(browser, run.url)
        tab.wait("view.latest.frame.interval_ms > 7000", "two frames have arrived")
        check_eventually(tab, f"performance.now() - view.frameAt > {STALE_S + 1}000 && (showHealth(), {STALE} === 'no')"
                         " && document.getElementById('alarm').hidden",
                         f"with a frame every eight seconds, a frame is not stale after {STALE_S + 1} s")
        tab.close()


def without_calibration(browser):
    """A folder without a pitch whose pictures are unreadable at first: no frame yet, then lengths in pixels."""
    with demo() as run:
        run.wait_frames(1)
        picture = run.ask("picture/latest.lr.png")
    folder = work / "uncalibrated"
    folder.mkdir()
    # One file under many names, which becomes readable once the page has shown that there is no frame. A run ends when
    # all its pictures are unreadable, so there are enough names for longer than the longest wait.
    target, fps = work / "target", 4
    target.write_bytes(b"no picture")
    for at in range(fps * (LONGEST_S + 60)):
        (folder / f"a{at:04}.png").symlink_to(target)
    # At the start, memory for a frame is planned for the largest readable picture.
    (folder / "b.png").write_bytes(picture)
    with Run(folder, "--fps", str(fps), "--repeat", "--as-is") as run:
        tab = Tab(browser, run.url)
        check_eventually(tab, "view.heard && !view.heard.frame && document.getElementById('quality').textContent === 'no frame yet'",
                         "before the first frame the page says 'no frame yet'")
        check(tab.value("document.getElementById('count').textContent") == "–", "before the first frame there is no count")
        check(tab.value("document.getElementById('trend').getAttribute('aria-label')") == "No counted frame yet",
              "before the first frame there is no trend")
        readable = work / "readable"
        readable.write_bytes(picture)
        readable.replace(target)
        check_eventually(tab, f"view.frame > 0 && {LOADED}", "the first frame is shown when it arrives")
        check("pixels" in tab.value("document.getElementById('diameters-title').textContent"), "without a pitch, diameters are in pixels")
        check("px" in tab.value("document.getElementById('diameters').textContent"), "without a pitch, the diameter axis is in px")
        check("not known" in tab.value("document.getElementById('scale').textContent"), "without a pitch, the scale is 'not known'")
        check(tab.value("document.getElementById('budget').textContent") == "none set", "without a budget, the page says 'none set'")
        check(tab.console_errors() == [], "the console has no errors without calibration", tab.console_errors())
        tab.close()


def degraded(browser):
    """Another process locks the records."""
    with demo() as run:
        run.wait_frames(2)
        tab = Tab(browser, run.url)
        tab.wait("document.getElementById('state').textContent === 'running'", "the state is running")
        with contextlib.closing(sqlite3.connect(run.out / "records.sqlite", isolation_level=None, timeout=LONGEST_S)) as records:
            records.execute("BEGIN IMMEDIATE")
            frame = check_eventually(tab, "document.getElementById('state').textContent === 'degraded' &&"
                                     " document.getElementById('state').dataset.is === 'warn'",
                                     "with locked records the state is 'degraded', in the colour of a warning", "view.frame")
            check_eventually(tab, f"{ALARM}.includes('not kept')", "with locked records an alarm says that records are not kept")
            check_eventually(tab, f"view.frame > {frame}", "with locked records new frames are shown")
            records.execute("ROLLBACK")
        lost = check_eventually(tab, "document.getElementById('state').textContent === 'running' && document.getElementById('alarm').hidden",
                                "after the records are unlocked the state is 'running', without an alarm",
                                "document.getElementById('not-kept').textContent")
        check(int(lost) > 0, "the page still shows how many records were not kept", lost)
        tab.close()


def stopping(browser):
    """A run that ends and waits for a broker that acknowledges nothing."""
    broker = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            line, _ = broker.accept()
            threading.Thread(target=accept_and_ignore, args=(line,), daemon=True).start()

    def accept_and_ignore(line):
        with contextlib.suppress(OSError):
            line.recv(1 << 16)
            line.sendall(b"\x20\x02\x00\x00")
            while line.recv(1 << 16):
                pass

    threading.Thread(target=serve, daemon=True).start()
    port = broker.getsockname()[1]
    with demo(config=f'[mqtt]\nbroker = "127.0.0.1:{port}"\nbox = "page"\n') as run:
        run.wait_frames(3)
        tab = Tab(browser, run.url)
        tab.wait(LOADED, "all three pictures are loaded")
        # Records every state and alarm, because some are brief.
        tab.value("window.said = []; setInterval(() => { const now = document.getElementById('state').textContent"
                  " + ': ' + document.getElementById('alarm').innerText; if (said.at(-1) !== now) said.push(now); }, 50)")
        # At its end a run waits only for pages that have polled within the last seconds.
        tab.wait("view.connected && performance.now() - view.heardAt < 1000", "the page is connected")
        run.process.terminate()
        run.process.wait(LONGEST_S)
        check_eventually(tab, "document.getElementById('state').textContent === 'ended'", "when a run ends, the state is 'ended'")
        state, alarm, said = tab.wait(f"!view.connected && performance.now() - view.heardAt > {STALE_S}000",
                                      "the page has failed to reach the run that has ended",
                                      f"[document.getElementById('state').textContent, {ALARM}, said]")
        check(state == "ended", "the state is still 'ended' when the server is gone", state)
        check("The run has ended" in alarm, "an alarm says that the run has ended", alarm)
        since = next(at for at, words in enumerate(said) if words.startswith("ended"))
        check(not any("lost" in words for words in said[since:]), "after a run has ended, the connection is never called lost", said[since:])
        tab.close()


def link_from_another_site(browser):
    """A link that contains the token, on a page of another site."""
    token = "correct-horse-battery"
    config = '[http]\ntoken_file = "token"\n'
    folder = work / "elsewhere"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Not in the folder of the run, which does not exist yet.
    (work / "token").write_text(token + "\n")
    with demo(config=config.replace('"token"', json.dumps(str(work / "token")))) as run:
        check(run.url.endswith("/?token=TOKEN"), "the printed address has a placeholder in place of the token", run.url)
        link = run.url.replace("TOKEN", token)
        (folder / "index.html").write_text(f'<!doctype html><title>elsewhere</title><a id="link" href="{link}">the bench</a>')
        # For a browser, localhost and 127.0.0.1 are different sites.
        tab = Tab(browser, f"http://localhost:{server.server_port}/index.html")
        tab.wait("document.getElementById('link') !== null", "the page of the other site is loaded")
        tab.value("document.getElementById('link').click()")
        address = check_eventually(tab, LOADED, "a link on another site opens the page with its pictures", "location.href")
        check(token not in address, "the token is removed from the address bar", address)
        tab.close()
    server.shutdown()


def printed_report(browser):
    """The report of a sample, printed for signature."""
    pictures = pathlib.Path(__file__).resolve().parent.parent / "data/synth/img"
    segment = [args.binary, "-q", "segment", str(pictures), "--out", "counted", "--sample", "S-17", "--operator", "A. B."]
    for command in (segment, [args.binary, "report", "--sample", "S-17", "--from", "counted", "--out", "report.html"]):
        done = subprocess.run(command, cwd=work, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"page: {' '.join(command)}: {done.stderr}")
    tab = Tab(browser, (work / "report.html").as_uri())
    # A new tab has an empty document, which is complete.
    tab.wait("location.protocol === 'file:' && document.readyState === 'complete'", "the report is loaded")
    embedded = tab.value("document.querySelectorAll('[href^=\"data:image\"]').length")
    check(embedded > 10, "the report embeds more than ten pictures", embedded)
    check(tab.value("['S-17', 'A. B.', 'Cells per field'].every(word => document.body.innerText.includes(word))"),
          "the report names the sample and the operator, and has the cells per field")
    # A4, in inches.
    printed = tab.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=True)
    pdf = base64.b64decode(printed["data"])
    if args.shots:
        (args.shots / "report.pdf").write_bytes(pdf)
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
    check(pdf.startswith(b"%PDF-") and 1 <= pages <= 12, "the report prints to a PDF of 1 to 12 pages", f"{pages} pages")
    tab.size(794, 1123)
    tab.send("Emulation.setEmulatedMedia", media="print")
    check("Signature" in tab.value("document.body.innerText"), "the printed report has a line for the signature")
    check(tab.value("document.documentElement.scrollWidth <= innerWidth"), "the printed report fits the width of the paper")
    foreign = [url for url in tab.requested_urls() if not url.startswith(("file:", "data:"))]
    check(foreign == [], "the report requests nothing from the network", foreign)
    tab.close()


STATES = [healthy_run, two_viewers, slow_source, without_calibration, degraded, stopping, link_from_another_site, printed_report]
chosen = [state for state in STATES if args.only in (None, state.__name__)]
if not chosen:
    sys.exit(f"page: unknown state `{args.only}`; expected one of {', '.join(state.__name__ for state in STATES)}")
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
