"""Chromium without a screen and without a network but this machine, driven through its pipe of commands."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

CHROMIUM: Final = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)
_LIMIT_S: Final = 60.0


class Page:
    """One page; `console` has its errors and warnings, `requests` the addresses that it asked for."""

    def __init__(self, write: int, read: int) -> None:
        self.console: list[str] = []
        self.requests: list[str] = []
        self._write, self._read = write, read
        self._number, self._waiting, self._session = 0, b"", ""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, url: str, width: int, height: int = 1_000) -> None:
        """Load an address in a window of that size."""
        sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **sizes)
        self._call("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """The value of an expression."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of an expression once it is true."""
        until = time.monotonic() + _LIMIT_S
        while time.monotonic() < until:
            if found := self.evaluate(script):
                return found
            time.sleep(0.1)
        raise AssertionError(f"never true: {script}; console: {self.console}")

    def screenshot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._number:
                assert "error" not in found, found["error"]
                return found["result"]
            self._note(found)

    def _next(self) -> Any:
        while b"\0" not in self._waiting:
            read = os.read(self._read, 1 << 20)
            assert read, "the browser ended"
            self._waiting += read
        message, _, self._waiting = self._waiting.partition(b"\0")
        return json.loads(message)

    def _note(self, event: Any) -> None:
        told = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(told["request"]["url"])
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.console.append(json.dumps(told["args"])[:300])
            case "Runtime.exceptionThrown":
                self.console.append(json.dumps(told["exceptionDetails"])[:300])
            case "Log.entryAdded":
                self.console.append(told["entry"]["text"])


@contextmanager
def opened(profile: Path) -> Iterator[Page]:
    """A browser with one empty page; its files are in `profile`."""
    assert CHROMIUM is not None
    to_browser, write = os.pipe()
    read, from_browser = os.pipe()

    def place() -> None:
        first, second = os.dup(to_browser), os.dup(from_browser)
        os.dup2(first, 3)  # the two numbers at which Chromium expects its pipes
        os.dup2(second, 4)

    process = subprocess.Popen(  # noqa: S603 - the browser of this machine
        [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(3, 4, to_browser, from_browser),
        preexec_fn=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Page(write, read)
    finally:
        os.close(write)
        process.terminate()
        process.wait(timeout=20)
        os.close(read)
