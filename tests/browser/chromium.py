"""A real browser without a screen, driven over its own DevTools protocol: what a person would see, type and press.

async with chromium(tmp_path) as page:
    await page.open("http://127.0.0.1:8090/pay/…")
    await page.press("Approve")
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import websockets

from tests.processes import until

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
ANSWERS_SECONDS = 20

_CENTRE = """(words => {
  const shown = [...document.querySelectorAll("button, a, input, label")];
  const found = shown.find(one => (one.innerText || one.name || "").trim() === words && one.offsetParent);
  if (!found) return null;
  found.scrollIntoView({block: "center"});
  const box = found.getBoundingClientRect();
  return {x: box.x + box.width / 2, y: box.y + box.height / 2};
})"""


class Page:
    """One tab."""

    def __init__(self, line: websockets.ClientConnection) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._session = ""

    async def read(self) -> None:
        """Take answers in, until the browser is gone."""
        with suppress(websockets.ConnectionClosed):
            async for frame in self._line:
                message = json.loads(frame)
                if waiting := self._answers.pop(message.get("id", 0), None):
                    waiting.set_result(message)

    async def attach(self) -> None:
        """Open the tab."""
        target = (await self._ask("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        await self._ask("Page.enable")

    async def open(self, url: str) -> None:
        failed = (await self._ask("Page.navigate", url=url)).get("errorText")
        assert not failed, f"{url}: {failed}"
        await self.shows("document.readyState === 'complete'")

    async def value(self, script: str) -> Any:  # noqa: ANN401  whatever the page says
        return (await self._ask("Runtime.evaluate", expression=script, returnByValue=True))["result"].get("value")

    async def shows(self, script: str) -> None:
        """Wait until this is true on the page, whichever that is by then."""

        async def looks() -> bool:
            return bool(await self.value(script))

        await until(looks, ANSWERS_SECONDS)

    async def title(self, title: str) -> None:
        await self.shows(f"document.title === {json.dumps(title)} && document.readyState === 'complete'")

    async def at(self, beginning: str) -> str:
        """Wait until the address begins like this; the address."""
        await self.shows(f"location.href.startsWith({json.dumps(beginning)})")
        return str(await self.value("location.href"))

    async def press(self, words: str) -> None:
        """Click where it says this, with the mouse."""
        place = await self.value(f"{_CENTRE}({json.dumps(words)})")
        assert place, f"nothing says {words!r} at {await self.value('location.href')}"
        for kind in ("mousePressed", "mouseReleased"):
            await self._ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    async def type(self, field: str, text: str) -> None:
        """Into the field of this name, instead of what stands there."""
        await self.press(field)
        await self.value("document.activeElement.select()")
        await self._ask("Input.insertText", text=text)

    async def _ask(self, method: str, **params: object) -> dict[str, Any]:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        where = {"sessionId": self._session} if self._session else {}
        await self._line.send(json.dumps({"id": number, "method": method, "params": params} | where))
        answer = await asyncio.wait_for(self._answers[number], ANSWERS_SECONDS)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result


def program() -> str:
    """The browser of this machine, or the one that CHROMIUM names."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "no Chromium: make browser installs one on Debian, or says what to install"
    return found


@asynccontextmanager
async def chromium(home: Path) -> AsyncIterator[Page]:
    """A fresh browser with one tab; its profile is kept in `home`, and nothing of it outlives the block."""
    process, said = _started(home), home / "chromium/DevToolsActivePort"
    try:

        async def listens() -> list[str]:
            assert process.poll() is None, (home / "chromium.log").read_text()[-2000:]
            return said.read_text().split() if said.exists() else []

        port, path = await until(listens)
        async with websockets.connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as line:
            page = Page(line)
            reading = asyncio.create_task(page.read())
            await page.attach()
            yield page
            reading.cancel()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(home: Path) -> subprocess.Popen[bytes]:
    command = [program(), "--headless", "--remote-debugging-port=0", f"--user-data-dir={home / 'chromium'}"]
    command += ["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-proxy-server"]
    command += ["--no-sandbox"] * (os.geteuid() == 0)  # root has no sandbox; all pages are our own
    with (home / "chromium.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, process_group=0)
