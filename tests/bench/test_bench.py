"""What is measured and not judged: ratios of one run, since machines are noisy. `make bench` prints them."""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from api.settings import Settings
from api.tabs import token
from domain.database import Database
from domain.energy import Energy
from domain.ledger import Cause
from domain.sessions import SessionPush, TheirStatus, TokenName
from resolvers.principal import Role
from tests.bench.rates import per_second, say
from tests.world import World, at, build

pytestmark = pytest.mark.bench

ROUNDS = 5
SECONDS = 3
CLIENTS = 16
CAUSE = Cause(actor="bench", request_id="bench")
HOME = """query Home { me { displayName
  wallet { id revision balance { available { amount } held { amount } total { amount currency } } }
  sessions(first: 20) { edges { node { id status energyKwh cost { ifStoppedNow { gross { amount } } } } }
    pageInfo { hasNextPage } } } }"""


async def test_home_query_against_a_bare_handler(postgres_url: str, tmp_path: Path) -> None:
    database = Database(postgres_url)
    world = await build(database, funds="500.00")
    for number in range(25):
        await _charge(world, number)
    await database.close()
    environment = {
        "TALLYWATT_DATABASE_URL": postgres_url,
        "TALLYWATT_VAR": str(tmp_path),
        "TALLYWATT_HEALTH_BIND": "127.0.0.1:0",
        "BENCH_DSN": postgres_url.replace("+asyncpg", ""),
        "BENCH_SUBJECT": world.driver.subject,
    }
    bearer = token(Settings(var=tmp_path), Role.DRIVER, world.driver.subject)
    ours, bare = _free_port(), _free_port()
    gateway = {"TALLYWATT_BIND_PORT": str(ours)}
    with (
        _process(["-m", "api.cli", "serve"], environment | gateway, ours),
        _process(["-m", "tests.bench.bare", str(bare)], environment, bare),
    ):
        request = _request(bearer)
        first, second = await _ask(ours, request), await _ask(bare, request)
        assert orjson.loads(first) == orjson.loads(second)
        rates = [(await _rate(ours, request), await _rate(bare, request)) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(side) for side in zip(*rates, strict=True))
    say("home query, requests/s", mine, "bare Starlette + asyncpg + orjson", theirs)


async def _charge(world: World, number: int) -> None:
    """One billed session of the world's driver."""
    name = TokenName(world.operator.emsp_role, world.token.uid, world.token.contract_id, is_app=True)
    began = at("08:00") + timedelta(hours=number)
    push = SessionPush(
        ocpi_id=f"BENCH-{number}",
        replaces=True,
        last_updated=began,
        status=TheirStatus.ACTIVE,
        started_at=began,
        energy=Energy(0),
        token=name,
        location="LOC-1",
        evse_uid="EVSE-1",
        connector="1",
    )
    await world.services.recording.record(world.party, push, CAUSE)
    done = SessionPush(
        ocpi_id=push.ocpi_id,
        replaces=False,
        last_updated=began + timedelta(minutes=30),
        status=TheirStatus.COMPLETED,
        energy=Energy(12_345 + number),
        ended_at=began + timedelta(minutes=30),
    )
    await world.services.recording.record(world.party, done, CAUSE)


def _request(bearer: str) -> bytes:
    body = orjson.dumps({"query": HOME})
    head = (
        "POST /graphql HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {bearer}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await _exchange(reader, writer, request)
    finally:
        writer.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return await reader.readexactly(length)


async def _rate(port: int, request: bytes) -> float:
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CLIENTS)]

    async def ask(number: int) -> None:
        reader, writer = lines[number % CLIENTS]
        await _exchange(reader, writer, request)

    rate = await per_second(ask, CLIENTS)
    for _, writer in lines:
        writer.close()
    return rate


def _free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
        return port


@contextmanager
def _process(argv: list[str], environment: dict[str, str], port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, *argv], env=os.environ | environment, stderr=subprocess.DEVNULL)
    try:
        for _ in range(150):
            with socket.socket() as line:
                if not line.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()
