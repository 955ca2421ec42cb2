"""The product's own commands as real processes on free ports, and the patience to wait for them."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx2

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 60
T = TypeVar("T")
Json = dict[str, Any]


async def until(look: Callable[[], Awaitable[T]], seconds: int = PATIENCE_SECONDS) -> T:
    """Look again and again until something true is found; that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := await look():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {look}")


def free_ports(count: int) -> list[int]:
    """Ports where nobody listens, below those that the kernel hands out: they stay free while a server is down."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(12_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found += [port] * (port not in found)
    return found


def surroundings(**variables: str) -> dict[str, str]:
    """The environment of a process that hears of no settings but these."""
    ours = ("TALLYWATT_", "ADYEN_", "CPSIM_", "STANDIN_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | variables


def tallywatt(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "api.cli", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


class Process:
    """One process, on ports of its own; may be killed and started again."""

    def __init__(self, command: tuple[str, ...], environment: Mapping[str, str], log: Path, ready: str) -> None:
        self._command, self._environment, self._ready = command, environment, ready
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            command = [sys.executable, "-m", *self._command]
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=out, stderr=out)

    async def answers(self) -> bool:
        """Whether it is ready; an end before that is a failure."""
        assert self._process is not None
        assert self._process.poll() is None, f"ended with {self._process.returncode}: {self.log.read_text()[-2000:]}"
        with suppress(httpx2.HTTPError):
            async with httpx2.AsyncClient(timeout=5, trust_env=False) as client:
                return (await client.get(self._ready)).is_success
        return False

    def kill(self) -> None:
        """SIGKILL; it has no time to say anything."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def tell_to_stop(self) -> None:
        """SIGTERM, once."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """How it ended after it was told to; SIGKILL if that takes long."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL
