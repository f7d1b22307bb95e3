"""Frames per second of the interactive page: ``python3 scripts/bench_page.py [PAGE.html]``.

Chromium, without a window, plays eight optimizers on every surface, as a wide and as a narrow
screen; through its DevTools protocol this script counts the frames and asks for the time that they
took.  Nothing on the page is changed.  Needs chromium on the PATH and no other package.
"""

from _environment import ensure

ensure(extras=("lab",))

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCREENS = {"wide": (1280, 900, False), "narrow": (390, 844, True)}
WANTED = 60  # frames per second: what a screen shows

# Plays from the first step, as slowly as it takes to play all the time; resolves to the times of
# the frames in milliseconds.
PLAY = """new Promise((done) => {
  const seen = [], began = performance.now();
  document.getElementById('speed').value = String(Math.max(1, state.steps / (SECONDS + 1)));
  go(0); play(true);
  (function note(now) {
    seen.push(now);
    if (performance.now() - began < 1000 * SECONDS) requestAnimationFrame(note);
    else { play(false); done(JSON.stringify(seen)); }
  })(began);
})"""


class Browser:
    """Chromium behind a pipe: its DevTools protocol is JSON between zero bytes."""

    def __init__(self, profile):
        program = next(filter(None, map(shutil.which, BROWSERS)), None)
        if program is None:
            raise SystemExit("bench_page: no Chromium here: apt-get install chromium")
        hear, self._say = os.pipe()
        self._hear, say = os.pipe()
        command = [
            program, "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-gpu", f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP * ~NOTFOUND", "about:blank",
        ]  # fmt: skip
        # The protocol's pipes are its descriptors 3 and 4; a shell can move them there.
        moved = ["sh", "-c", f'exec "$@" 3<&{hear} 4>&{say}', "sh", *command]
        self._process = subprocess.Popen(moved, pass_fds=(hear, say), stderr=subprocess.DEVNULL)
        os.close(hear)
        os.close(say)
        self._read, self._number, self._session = b"", 0, None
        self.said = []  # console messages and errors
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Performance", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._say, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _next(self):
        while b"\0" not in self._read:
            more = os.read(self._hear, 1 << 20)
            if not more:
                raise RuntimeError("Chromium ended")
            self._read += more
        text, _, self._read = self._read.partition(b"\0")
        message = json.loads(text)
        name, found = message.get("method", ""), message.get("params", {})
        if name in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.said.append(found)
        if name == "Network.requestWillBeSent":
            address = found["request"]["url"]
            if not address.startswith(("file:", "data:", "about:")):
                self.said.append(address)
        return message

    def open(self, address, width, height, touch):
        self("Emulation.setDeviceMetricsOverride", width=width, height=height,
             deviceScaleFactor=2 if touch else 1, mobile=touch)  # fmt: skip
        self("Emulation.setTouchEmulationEnabled", enabled=touch)
        self("Page.navigate", url=address)
        while self.ask("document.readyState") != "complete":
            pass

    def ask(self, expression):
        found = self("Runtime.evaluate", expression=expression, awaitPromise=True,
                     returnByValue=True)  # fmt: skip
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"])
        return found["result"].get("value")

    def metrics(self):
        return {m["name"]: m["value"] for m in self("Performance.getMetrics")["metrics"]}

    def close(self):
        self("Browser.close")
        self._process.wait(20)


def measure(browser, seconds):
    """(frames per second, longest pause in ms, busy share of the page's thread)."""
    before = browser.metrics()
    times = json.loads(browser.ask(PLAY.replace("SECONDS", str(seconds))))[2:]
    after = browser.metrics()
    gaps = [b - a for a, b in pairwise(times)]
    busy = (after["TaskDuration"] - before["TaskDuration"]) / (
        after["Timestamp"] - before["Timestamp"]
    )
    return 1000 / statistics.mean(gaps), max(gaps), busy


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("page", type=Path, nargs="?", metavar="PAGE.html",
                        help="(default: a new one with the eight optimizers)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=2.0, help="per surface (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="minitrain-page-") as folder:
        page = options.page
        if page is None:
            from minitrain import gallery

            page = gallery.write_page(Path(folder) / "page.html")
        browser, rows = Browser(Path(folder) / "profile"), []
        try:
            for screen, (width, height, touch) in SCREENS.items():
                browser.open(page.resolve().as_uri(), width, height, touch)
                for name in browser.ask("SURFACES.map((s) => s.name)"):
                    browser.ask(f"setSurface(SURFACES.find((s) => s.name === {json.dumps(name)}))")
                    rate, pause, busy = measure(browser, options.seconds)
                    rows.append({"screen": screen, "surface": name, "frames_per_second": rate,
                                 "longest_pause_ms": pause, "busy": busy})  # fmt: skip
                    if not options.json:
                        print(f"{screen:8}{name:14}{rate:6.1f} frames a second, longest pause "
                              f"{pause:5.1f} ms, thread busy {busy:4.0%}", flush=True)  # fmt: skip
            shown, said = browser.ask("active().length"), browser.said
        finally:
            browser.close()
    if options.json:
        print(json.dumps({"optimizers": shown, "said": said, "rows": rows}, indent=1))
        return 0
    least = min(row["frames_per_second"] for row in rows)
    print(f"{page.name}, {shown} optimizers: at least {least:.1f} frames a second (a screen shows "
          f"{WANTED}); {len(said)} console messages or requests to elsewhere")  # fmt: skip
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
