"""Looks at the live page as a person does: headless Chromium, driven through its debugging pipe.

Standard library only. Asserts that the page shows what the event socket says, draws, stays within narrow windows, asks nobody
else for anything, and says when its connection is lost. Writes pictures of itself where a folder is named for them.

    python3 tests/page/browser.py CHROMIUM ADDRESS EVENT_SOCKET [FOLDER_FOR_PICTURES]

Says `done watching` and waits for a line before it looks at what a lost connection looks like: whoever started it ends the device
in between.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

PATIENCE_S = 120
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1.5, "mobile": True}
NARROW = {"width": 320, "height": 640, "deviceScaleFactor": 2, "mobile": True}
DESK = {"width": 1160, "height": 990, "deviceScaleFactor": 1, "mobile": False}


class Browser:
    """A Chromium with one tab. Commands go out and answers come back as JSON between zero bytes, on descriptors 3 and 4."""

    def __init__(self, program: str, profile: str) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # Above 3 and 4, so that copying one there covers no other; bash, because a plain sh knows no descriptor above 9.
        read, write = (os.dup2(end, number) for end, number in ((theirs_in, 200), (theirs_out, 201)))
        flags = [
            "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu",
            "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars", "about:blank",
        ]
        if os.geteuid() == 0:
            flags.insert(0, "--no-sandbox")
        command = ["bash", "-c", 'exec "$@" 3<&200 4>&201 200<&- 201>&-', "bash", program, *flags]
        self.process = subprocess.Popen(command, pass_fds=(read, write), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        for end in (theirs_in, theirs_out, read, write):
            os.close(end)
        self._out, self._in = ours_out, ours_in
        self._next, self._answers, self.events = 1, {}, []
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    _session: str | None = None

    def _listen(self) -> None:
        rest = b""
        while chunk := os.read(self._in, 1 << 16):
            *whole, rest = (rest + chunk).split(b"\0")
            with self._news:
                for text in whole:
                    said = json.loads(text)
                    if "id" in said:
                        self._answers[said["id"]] = said
                    else:
                        self.events.append(said)
                self._news.notify_all()

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        number, self._next = self._next, self._next + 1
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        with self._news:
            assert self._news.wait_for(lambda: number in self._answers, PATIENCE_S), f"no answer to {method}"
            answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        said = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def until(self, expression: str, what: str) -> Any:
        """Waits until an expression is true."""
        end = time.monotonic() + PATIENCE_S
        while not (value := self.ask(expression)):
            assert time.monotonic() < end, f"never: {what}; the page says: {self.ask('document.body.innerText')}"
            time.sleep(0.1)
        return value

    def show(self, screen: dict[str, Any], scheme: str) -> None:
        self.send("Emulation.setDeviceMetricsOverride", **screen)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


class Listener(threading.Thread):
    """What the event socket says meanwhile."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self.genres: set[str] = set()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._socket.sendall(b"json\n")
        self.start()

    def run(self) -> None:
        for line in self._socket.makefile():
            verdict = json.loads(line).get("verdict", {})
            if verdict.get("state") == "genre":
                self.genres.add(verdict["genre"])


# Whether a canvas holds more than a ground and a few letters.
COLOURS = """(() => {{
  const canvas = document.getElementById('{0}');
  const {{ data }} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4 * 97) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return seen.size;
}})()"""


def look(browser: Browser, address: str, listener: Listener, pictures: Path | None) -> None:
    browser.show(DESK, "dark")
    browser.send("Page.navigate", url=address)
    browser.until("document.body?.dataset.link === 'live'", "a live connection")
    browser.until("document.body.dataset.state === 'genre'", "a genre")
    shown = browser.ask("document.getElementById('genre').textContent")
    assert shown in listener.genres, f"the page says {shown}, the socket said {listener.genres}"
    browser.until(f"{COLOURS.format('spectrogram')} > 100", "a spectrogram")
    browser.until(f"{COLOURS.format('strip')} > 3", "genres over time")
    browser.until("document.querySelectorAll('#chances li.shown').length === 1", "the scores")
    browser.until("document.querySelectorAll('#health dd').length >= 15", "health")
    browser.until("document.querySelectorAll('#changes li').length >= 2", "changes")
    browser.until("/^−[0-9.]+ dBFS, peak/.test(document.getElementById('level-text').textContent)", "a level")
    if pictures:
        # Until the pictures are full.
        browser.until("performance.now() > 34000", "time for a picture")
    for screen, scheme, name in ((DESK, "dark", "page-desktop"), (PHONE, "dark", "page-phone"), (PHONE, "light", "page-phone-light"),
                                 (NARROW, "light", None)):
        browser.show(screen, scheme)
        time.sleep(1.0 if pictures else 0.2)
        wide = browser.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{screen}: {wide} pixels too wide"
        if pictures and name:
            browser.picture(pictures / f"{name}.png")
    check_manners(browser, address)


def check_manners(browser: Browser, address: str) -> None:
    """Nobody else was asked for anything, and nothing went wrong."""
    home = address.split("?")[0]
    asked = {event["params"]["request"]["url"] for event in browser.events
             if event["method"] == "Network.requestWillBeSent"}
    strangers = [url for url in asked if not url.startswith(home)]
    assert len(asked) >= 4 and not strangers, f"asked for {asked}"
    wrong = [event["params"] for event in browser.events
             if event["method"] == "Runtime.exceptionThrown"
             or event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error"
             or event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "assert")]
    assert not wrong, wrong


def look_at_the_end(browser: Browser) -> None:
    """The device is gone: nothing may look live."""
    browser.until("document.body.dataset.link === 'lost'", "the connection lost")
    browser.until("/^\\(lost\\)/.test(document.title)", "a title that says so")
    text = browser.ask("document.getElementById('notice').innerText")
    assert "connection lost" in text and not browser.ask("document.getElementById('notice').hidden"), text
    assert float(browser.ask("getComputedStyle(document.querySelector('main')).opacity")) < 0.6


def main(program: str, address: str, events: str, folder: str | None = None) -> None:
    listener = Listener(events)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            look(browser, address, listener, Path(folder) if folder else None)
            print("done watching", flush=True)
            sys.stdin.readline()
            look_at_the_end(browser)
        finally:
            browser.close()
    print("good", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
