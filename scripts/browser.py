"""Drives headless Chromium over its debugging pipe, with the standard library only."""

import base64
import json
import os
import select
import signal
import subprocess
import sys
import time

# Timeout of every wait, in seconds. A loaded machine is slow, so it only bounds a wait that would never end.
LONGEST_S = 240
# Errors of an evaluation in a page that navigates: its document is gone, or the next one does not exist yet.
NAVIGATION_ERRORS = ("target navigated", "context was destroyed", "Cannot find context", "Cannot find default execution context")


class Browser:
    """Chromium with any number of tabs."""

    def __init__(self, chromium, work):
        # Chromium reads commands from file descriptor 3 and answers on 4.
        to_read, self.commands = os.pipe()
        self.answers, to_write = os.pipe()
        self.log = work / "chromium.log"
        command = [chromium, "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", "--hide-scrollbars", "--disable-extensions", "--disable-background-networking",
                   # Hidden tabs run like visible ones.
                   "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
                   "--disable-background-timer-throttling", f"--user-data-dir={work / 'profile'}"]
        # Chromium's own sandbox does not run as root.
        if os.geteuid() == 0:
            command.append("--no-sandbox")
        # Descriptors that are 3 or 4 themselves are moved first.
        shell = f'exec 3<&{to_read} 4>&{to_write}; exec "$@"'
        if {to_read, to_write} & {3, 4}:
            high_read, high_write = os.dup(to_read), os.dup(to_write)
            for old in (to_read, to_write):
                os.close(old)
            to_read, to_write = os.dup2(high_read, 60), os.dup2(high_write, 61)
            shell = "exec 3<&60 4>&61 60<&- 61>&-; exec \"$@\""
        self.process = subprocess.Popen(["bash", "-c", shell, "chromium", *command], pass_fds=(to_read, to_write),
                                        stdout=subprocess.DEVNULL, stderr=self.log.open("wb"), start_new_session=True)
        os.close(to_read)
        os.close(to_write)
        self.number = 0
        self.pending = b""
        self.events = []

    def read(self, until):
        while b"\0" not in self.pending:
            if not select.select([self.answers], [], [], max(0, until - time.monotonic()))[0]:
                return None
            more = os.read(self.answers, 1 << 20)
            if not more:
                sys.exit("page: Chromium has exited:\n" + self.log.read_text(errors="replace")[-2000:])
            self.pending += more
        message, self.pending = self.pending.split(b"\0", 1)
        return json.loads(message)

    def send(self, method, session=None, may_navigate=False, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + LONGEST_S
        while (answer := self.read(until)) is not None:
            if answer.get("id") == self.number:
                if "error" in answer:
                    reason = answer["error"].get("message", "")
                    if may_navigate and any(error in reason for error in NAVIGATION_ERRORS):
                        return None
                    sys.exit(f"page: {method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)
        sys.exit(f"page: {method}: no response within {LONGEST_S} s")

    def end(self):
        """Kills Chromium with all its processes, which would otherwise still write to the folder of its profile."""
        os.killpg(self.process.pid, signal.SIGKILL)


class Tab:
    """A tab of the browser."""

    def __init__(self, browser, url="about:blank"):
        self.browser = browser
        self.target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.send("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.size(1280, 900)
        self.dark(False)
        if url != "about:blank":
            self.open(url)

    def send(self, method, **parameters):
        return self.browser.send(method, self.session, **parameters)

    def open(self, url):
        self.send("Page.navigate", url=url)

    def close(self):
        self.browser.send("Target.closeTarget", targetId=self.target)

    def value(self, expression, may_navigate=False):
        result = self.send("Runtime.evaluate", may_navigate=may_navigate, expression=expression, awaitPromise=True,
                           returnByValue=True)
        if result is None:
            return None
        if "exceptionDetails" in result:
            sys.exit(f"page: {expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, condition, what, value="null"):
        """Waits until `condition` is true. Returns `value`, read in the same evaluation, so both are of one moment."""
        until = time.monotonic() + LONGEST_S
        attempt = f"(() => {{ try {{ return ({condition}) ? [{value}] : null }} catch {{ return null }} }})()"
        while time.monotonic() < until:
            # An expression fails in a page that is not loaded yet or is navigating.
            read = self.value(attempt, may_navigate=True)
            if read:
                return read[0]
            time.sleep(0.1)
        shown = self.value("document.body?.innerText", may_navigate=True)
        sys.exit(f"page: timed out waiting until {what} ({condition}); the page shows:\n{shown}\n{self.console_errors()}")

    def key(self, key):
        for kind in ("keyDown", "keyUp"):
            more = {"windowsVirtualKeyCode": 27} if key == "Escape" else {"text": key} if kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def size(self, width, height, scale=1, phone=False):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone)

    def dark(self, dark):
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self, path):
        picture = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def events_of(self, method):
        """The events of one kind in this tab."""
        return [event["params"] for event in self.browser.events
                if event.get("sessionId") == self.session and event.get("method") == method]

    def console_errors(self):
        """Console errors, console warnings and exceptions, without status 409, which is normal for a replaced frame."""
        logged = [thrown["exceptionDetails"] for thrown in self.events_of("Runtime.exceptionThrown")]
        logged += [call["args"] for call in self.events_of("Runtime.consoleAPICalled") if call["type"] in ("error", "warning")]
        entries = [event["entry"] for event in self.events_of("Log.entryAdded")]
        is_replaced_frame = lambda entry: "/picture/latest." in entry.get("url", "") and " 409 " in entry["text"]
        return logged + [entry for entry in entries if entry["level"] in ("error", "warning") and not is_replaced_frame(entry)]

    def requested_urls(self):
        """The URLs of all requests of this tab."""
        return [sent["request"]["url"] for sent in self.events_of("Network.requestWillBeSent")]
