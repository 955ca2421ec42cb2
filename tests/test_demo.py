"""`tallywatt demo`, from its first line to Ctrl-C, as it is started by hand."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import httpx2
import orjson
import pytest

from domain.columns import table_of
from domain.database import Database
from domain.sessions import ChargingSession
from tests.processes import ROOT, free_ports, surroundings, tallywatt

SECONDS = 60
"""How long anything may take on a machine that has much else to do."""
PROMISED_SECONDS = 20
"""How long until a session charges on a machine that has nothing else to do."""

LIVE = re.compile(r"^(\d+\.\d\d) EUR · (\d+\.\d{3}) kWh · ", re.MULTILINE)
TOKEN = re.compile(r"^[\w-]+\.[\w-]+\.[\w-]+$", re.MULTILINE)
WHOAMI = {
    "driver": "{ me { displayName activeSessions { status } } }",
    "support": "{ supportDesk { disputes { edges { node { id } } } } }",
    "operator": "{ operator { name } }",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A place and ports of this test's own."""
    gateway, stand_in, points = free_ports(3)
    return surroundings(
        TALLYWATT_VAR=str(tmp_path / "var"),
        TALLYWATT_BIND_PORT=str(gateway),
        ADYEN_BASE_URL=f"http://127.0.0.1:{stand_in}",
        TALLYWATT_DEMO_CHARGE_POINTS_PORT=str(points),
    )


class Shown:
    """A demo that runs, and what it has printed so far."""

    def __init__(self, environment: dict[str, str], out: Path) -> None:
        self._out = out
        self._started = time.monotonic()
        with out.open("wb") as file:
            command = [sys.executable, "-m", "api.cli", "demo"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)

    @property
    def text(self) -> str:
        return self._out.read_text()

    def when(self, seen: Callable[[str], object]) -> float:
        """Wait until the output shows it; the seconds since the start."""
        while not seen(self.text):
            assert self.process.poll() is None, self.text
            assert time.monotonic() < self._started + SECONDS, self.text
            time.sleep(0.05)
        return time.monotonic() - self._started

    def children(self) -> set[int]:
        """Its processes, by the kernel's list."""
        pid = self.process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children")
        return {int(child) for child in listed.read_text().split()} if listed.exists() else set()

    def interrupted(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        return self.process.wait(SECONDS)


@pytest.fixture
def shown(environment: dict[str, str], tmp_path: Path) -> Iterator[Shown]:
    demo = Shown(environment, tmp_path / "shown.txt")
    yield demo
    if demo.process.poll() is None:
        demo.interrupted()


def alive(processes: Iterable[int]) -> list[int]:
    return [process for process in processes if Path(f"/proc/{process}").exists()]


def costs(text: str) -> list[Decimal]:
    return [Decimal(cost) for cost, _ in LIVE.findall(text)]


def test_a_session_with_moving_cost_tokens_and_a_line_to_copy(shown: Shown, environment: dict[str, str]) -> None:
    seconds = shown.when(lambda text: len(set(costs(text))) >= 2)
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    assert seconds < PROMISED_SECONDS * (1 + waiting)
    shown.when(lambda text: len(set(costs(text))) >= 4)
    assert costs(shown.text) == sorted(costs(shown.text))
    assert "Topped up; the wallet holds 50.00 EUR." in shown.text

    (url,) = re.findall(r"^Tallywatt is running at (\S+)", shown.text, re.MULTILINE)
    assert url == f"http://127.0.0.1:{environment['TALLYWATT_BIND_PORT']}"
    page = httpx2.get(f"{url}/", trust_env=False)
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert "GraphiQL" in page.text or "graphiql" in page.text
    tabs = httpx2.get(f"{url}/playground/tabs.json", trust_env=False).json()
    assert len(tabs) == 5

    printed = shown.text.splitlines()
    for role, query in WHOAMI.items():
        token = printed[printed.index(f"{role}'s token, for an hour:") + 1]
        assert TOKEN.fullmatch(token)
        headers = {"authorization": f"Bearer {token}"}
        answer = httpx2.post(f"{url}/graphql", json={"query": query}, headers=headers, trust_env=False).json()
        assert "errors" not in answer, answer
    for tab in tabs[:2]:
        body = {"query": tab["query"], "variables": tab["variables"]}
        answer = httpx2.post(f"{url}/graphql", json=body, headers=tab["headers"], trust_env=False).json()
        assert "errors" not in answer, answer

    (line,) = [line for line in printed if line.startswith("curl ")]
    if shutil.which("bash") and shutil.which("curl"):
        asked = subprocess.run(["bash", "-c", line], capture_output=True, timeout=SECONDS, check=True)
        balance = orjson.loads(asked.stdout)["data"]["me"]["wallet"]["balance"]
        assert balance["available"]["currency"] == "EUR"
        assert Decimal(balance["available"]["amount"]) + Decimal(balance["held"]["amount"]) == 50


async def test_ctrl_c_ends_everything_and_leaves_no_session_open(
    shown: Shown, environment: dict[str, str], tmp_path: Path
) -> None:
    await asyncio.to_thread(shown.when, lambda text: len(set(costs(text))) >= 2)
    children = shown.children()
    assert await asyncio.to_thread(shown.interrupted) == 0
    assert "Traceback" not in shown.text
    assert not alive(children)
    for port in ("TALLYWATT_BIND_PORT", "TALLYWATT_DEMO_CHARGE_POINTS_PORT"):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(environment[port])), 1)
    for log in (tmp_path / "var" / "logs").iterdir():
        assert "Traceback" not in log.read_text(), log
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/var/tallywatt.sqlite3")
    async with database.snapshot() as reader:
        (session,) = await reader.list(ChargingSession, table_of(ChargingSession).select())
    await database.close()
    assert session.is_final
    assert (await asyncio.to_thread(tallywatt, "audit", environment=environment)).returncode == 0

    again = Shown(environment, tmp_path / "again.txt")
    try:
        await asyncio.to_thread(again.when, lambda text: len(set(costs(text))) >= 2)
    finally:
        ended = await asyncio.to_thread(again.interrupted, signal.SIGTERM)
    assert (ended, "Traceback" in again.text) == (0, False)


def test_a_gateway_that_dies_is_told_in_one_line(shown: Shown) -> None:
    shown.when(lambda text: len(set(costs(text))) >= 2)
    children = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in shown.children()}
    (gateway,) = [child for child, command in children.items() if b"serve" in command]
    os.kill(gateway, signal.SIGKILL)
    assert shown.process.wait(SECONDS) == 1
    assert "Traceback" not in shown.text
    assert shown.text.splitlines()[-1].startswith("tallywatt: ")
    assert not alive(children)


def refused(environment: dict[str, str], *words: str) -> str:
    """The one line that a command ends with instead of doing anything."""
    ended = tallywatt(*words, environment=environment)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tallywatt: ")
    return line


@pytest.mark.parametrize("which", ["TALLYWATT_BIND_PORT", "ADYEN_BASE_URL", "TALLYWATT_DEMO_CHARGE_POINTS_PORT"])
def test_a_port_that_is_taken_is_named(environment: dict[str, str], which: str) -> None:
    port = environment[which].rpartition(":")[2]
    with socket.create_server(("127.0.0.1", int(port))):
        assert f"Port {port} of 127.0.0.1 cannot be used" in refused(environment, "demo")


def test_a_store_of_another_version_is_left_alone(environment: dict[str, str], tmp_path: Path) -> None:
    store = tmp_path / "var" / "tallywatt.sqlite3"
    store.parent.mkdir(mode=0o700)
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    before = store.read_bytes()
    line = refused(environment, "demo")
    assert str(store) in line
    assert "another version" in line
    assert "9999" in line
    assert store.read_bytes() == before
    assert "9999" in refused(environment, "serve")


def test_a_file_that_is_no_store_is_left_alone(environment: dict[str, str], tmp_path: Path) -> None:
    store = tmp_path / "var" / "tallywatt.sqlite3"
    store.parent.mkdir(mode=0o700)
    store.write_text("a diary, and not a database\n" * 100)
    assert "cannot be opened: file is not a database" in refused(environment, "demo")
    assert store.read_text().startswith("a diary")
