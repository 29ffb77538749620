"""The checks of scripts/test-page. Chromium is spoken to over its debugging pipe: no package is needed for that."""

import argparse
import base64
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time
import urllib.request

LONGEST_S = 60

arguments = argparse.ArgumentParser()
arguments.add_argument("--chromium", required=True)
arguments.add_argument("--binary", required=True)
arguments.add_argument("--shots", type=pathlib.Path)
args = arguments.parse_args()
work = pathlib.Path(tempfile.mkdtemp(prefix="bloodseg-page-"))


class Browser:
    """Headless Chromium with one tab."""

    def __init__(self):
        # Chromium reads its orders from file 3 and answers on file 4.
        to_read, self.orders = os.pipe()
        self.answers, to_write = os.pipe()
        command = [args.chromium, "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", "--hide-scrollbars", "--disable-extensions", "--disable-background-networking",
                   f"--user-data-dir={work / 'profile'}"]
        # Chromium's own sandbox does not run as root.
        if os.geteuid() == 0:
            command.append("--no-sandbox")
        # First out of the way of 3 and 4, which they may be themselves.
        shell = f'exec 3<&{to_read} 4>&{to_write}; exec "$@"'
        if {to_read, to_write} & {3, 4}:
            high_read, high_write = os.dup(to_read), os.dup(to_write)
            for old in (to_read, to_write):
                os.close(old)
            to_read, to_write = os.dup2(high_read, 60), os.dup2(high_write, 61)
            shell = "exec 3<&60 4>&61 60<&- 61>&-; exec \"$@\""
        self.process = subprocess.Popen(["bash", "-c", shell, "chromium", *command], pass_fds=(to_read, to_write),
                                        stdout=subprocess.DEVNULL, stderr=(work / "chromium.log").open("wb"))
        os.close(to_read)
        os.close(to_write)
        self.number = 0
        self.pending = b""
        self.events = []
        target = self.order("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.order("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.tab(f"{domain}.enable")

    def read(self, until):
        while b"\0" not in self.pending:
            if not select.select([self.answers], [], [], max(0, until - time.monotonic()))[0]:
                return None
            more = os.read(self.answers, 1 << 20)
            if not more:
                sys.exit("page: Chromium went away:\n" + (work / "chromium.log").read_text(errors="replace")[-2000:])
            self.pending += more
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def order(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.orders, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + LONGEST_S
        while (answer := self.read(until)) is not None:
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"page: {method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)
        sys.exit(f"page: {method}: no answer")

    def tab(self, method, **parameters):
        return self.order(method, self.session, **parameters)

    def value(self, expression):
        result = self.tab("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"page: {expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression, what):
        until = time.monotonic() + LONGEST_S
        while time.monotonic() < until:
            # A page that is not there yet has nothing to look at.
            if self.value(f"(() => {{ try {{ return {expression} }} catch {{ return false }} }})()"):
                return
            time.sleep(0.1)
        shown = self.value("document.body.innerText")
        sys.exit(f"page: waited in vain until {what} ({expression}); the page says:\n{shown}\n{self.complaints()}")

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            more = {"windowsVirtualKeyCode": 27} if key == "Escape" else {"text": key} if kind == "keyDown" else {}
            self.tab("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def size(self, width, height, scale=1, phone=False):
        self.tab("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)

    def dark(self, dark):
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tab("Emulation.setEmulatedMedia", features=[feature])

    def shoot(self, path):
        picture = self.tab("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def complaints(self):
        """What the console said, and what was thrown."""
        said = []
        for event in self.events:
            parameters = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                said.append(parameters["exceptionDetails"])
            if event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
                said.append(parameters["args"])
            if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                said.append(parameters["entry"])
        return said

    def asked(self):
        """Every address that was asked for."""
        return [event["params"]["request"]["url"] for event in self.events
                if event.get("method") == "Network.requestWillBeSent"]


checks = 0


def check(is_so, what):
    global checks
    if not is_so:
        sys.exit(f"page: {what}")
    checks += 1
    print(f"page: ok: {what}")


# The demo has a pitch, so the histogram is in micrometres; a budget, so that memory has something to be held against.
program_mib = os.path.getsize(args.binary) >> 20
(work / "c.toml").write_text(f"[budget]\ntotal_mib = {program_mib + 24}\n")
run = subprocess.Popen([args.binary, "--config", "c.toml", "run", "demo", "--fps", "5", "--frames", "1000000", "--out",
                        "results", "--http", "127.0.0.1:0"], cwd=work, stdout=subprocess.PIPE, text=True)
browser = None
try:
    url, seen = None, 0
    for line in run.stdout:
        if line.startswith("page "):
            url = line.split()[1]
        seen += line.startswith("frame ")
        # Enough for a trend.
        if seen == 12:
            break
    check(url is not None, "the run tells the address of its page")
    # The pipe must not fill up.
    drain = subprocess.Popen(["cat"], stdin=run.stdout, stdout=subprocess.DEVNULL)

    def latest():
        with urllib.request.urlopen(url + "api/latest", timeout=LONGEST_S) as answer:
            return json.load(answer)

    browser = Browser()
    browser.size(1280, 900)
    browser.dark(False)
    browser.tab("Page.navigate", url=url)
    loaded = "['lr','sr','overlay'].every(id => document.getElementById(id).naturalWidth > 0)"
    browser.wait(loaded, "three pictures are loaded")
    sizes = browser.value("['lr','sr','overlay'].map(id => document.getElementById(id).naturalWidth)")
    check(sizes == [64, 256, 256], "the pictures have their sizes")
    check(browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(244, 245, 247)", "the style is allowed")
    browser.wait("document.getElementById('state').textContent === 'running'", "the state is running")

    first = browser.value("view.frame")
    browser.wait(f"view.frame > {first} + 3", "new frames come by themselves")
    check(browser.value("document.getElementById('alarm').hidden"), "nothing is amiss, and nothing says so")

    browser.key(" ")
    browser.wait("view.frozen && !view.busy", "Space freezes")
    told = browser.value("({frame: view.frame, shown: document.getElementById('count').textContent,"
                         " counted: view.latest.frame.counted, cells: view.latest.frame.cells,"
                         " analysed: document.getElementById('analysed').textContent})")
    with urllib.request.urlopen(f"{url}api/cells?since={told['frame'] - 1}", timeout=LONGEST_S) as answer:
        cells = [cell for cell in json.load(answer)["cells"] if cell["frame"] == told["frame"]]
    shown = int(told["shown"]) if told["counted"] else 0
    check(shown == told["cells"] == len(cells), f"the count that is shown ({shown}) is that of /api/latest and /api/cells")
    time.sleep(1)
    check(browser.value("view.frame") == told["frame"], "a frozen page stays")
    check("Frozen" in browser.value("document.getElementById('alarm').textContent"), "and says that it is frozen")
    browser.key(" ")
    browser.wait(f"view.frame > {told['frame']}", "Space goes on")

    for key, name in (("1", "lr"), ("2", "sr"), ("3", "overlay"), ("0", "all")):
        browser.key(key)
        seen_now = browser.value("[...document.querySelectorAll('figure')].filter(f => f.offsetParent).map(f => f.id.slice(3))")
        check(seen_now == (["lr", "sr", "overlay"] if name == "all" else [name]), f"key {key} shows {name}")
    browser.key("?")
    check(browser.value("document.getElementById('help').open"), "? shows the keys")
    browser.key("Escape")
    browser.wait("!document.getElementById('help').open", "Escape closes them")
    browser.key("d")
    check(browser.value("document.documentElement.dataset.theme") == "dark", "d makes it dark")
    check(browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 24)", "and dark is dark")
    browser.key("d")
    check(browser.value("document.querySelectorAll('#trend path').length") == 1, "the trend is drawn")
    check(browser.value("document.querySelectorAll('#diameters rect').length") > 3, "the diameters are drawn")
    check("micrometres" in browser.value("document.getElementById('diameters-title').textContent"), "in micrometres")
    check(browser.value("document.querySelectorAll('#model-cards details').length") == 2, "both models have their cards")
    check("MiB" in browser.value("document.getElementById('budget').textContent"), "memory stands against its budget")
    unnamed = browser.value("[...document.querySelectorAll('button, img, svg')].filter(e => !(e.textContent.trim() ||"
                            " e.alt || e.getAttribute('aria-label'))).length")
    check(unnamed == 0, "every button and picture has a name")
    if args.shots:
        args.shots.mkdir(parents=True, exist_ok=True)
        height = browser.value("document.documentElement.scrollHeight")
        browser.size(1280, height)
        browser.wait(loaded, "three pictures are loaded")
        browser.shoot(args.shots / "page.png")

    browser.dark(True)
    browser.value("localStorage.clear()")
    for width in (360, 320, 768):
        browser.size(width, 780, phone=width < 700)
        browser.tab("Page.reload")
        browser.wait("view.latest && document.getElementById('overlay').naturalWidth > 0", "the page is there again")
        wide = browser.value("document.documentElement.scrollWidth")
        check(wide <= width, f"at {width} px nothing is scrolled sideways")
        check(browser.value("document.documentElement.dataset.theme") == "dark", "a dark system has a dark page")
        if width == 360:
            small = browser.value("[...document.querySelectorAll('button')].filter(b => b.offsetParent &&"
                                  " b.getBoundingClientRect().height < 36).length")
            check(small == 0, "buttons are large enough for a finger")
            if args.shots:
                browser.size(360, 1100, scale=2, phone=True)
                time.sleep(0.5)
                browser.shoot(args.shots / "page-phone.png")

    foreign = [asked for asked in browser.asked() if not asked.startswith(url) and not asked.startswith("about:")]
    check(foreign == [], f"no other host is asked {foreign}")
    check(browser.complaints() == [], f"the console is silent {browser.complaints()}")

    before = latest()["counts"]
    check(before["captured"] >= before["analysed"] > 12, "the run goes on")
    run.terminate()
    run.wait(LONGEST_S)
    browser.wait("document.body.dataset.stale === 'yes' && document.getElementById('alarm').textContent.includes('lost')",
                 "a page whose run is gone says so")
    check(browser.value("document.getElementById('state').textContent") == "not connected", "a dead page looks dead")
    print(f"page: {checks} checks passed")
finally:
    run.kill()
    if browser:
        browser.process.kill()
