"""SIGKILL anywhere: what was acknowledged is there, what is told again is done once, and the books agree."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select

import migrations
from domain.columns import table_of
from domain.database import Database
from domain.ledger import LedgerPosting
from domain.wallets import Hold
from tests.domain.wallets.bank import Bank
from tests.domain.wallets.mortal import END, POINTS, POSTINGS, Story
from tests.processes import ROOT
from tests.servers import SAFE, Postgres, Servers


@pytest.fixture(scope="module")
def safe_server(servers: Servers) -> Postgres:
    return servers.postgres("safe", SAFE)


@pytest.fixture(params=["sqlite", "postgres"])
def safe_url(request: pytest.FixtureRequest) -> str:
    """A store that syncs what it acknowledges: SQLite as always, PostgreSQL as in production."""
    if request.param == "sqlite":
        found: str = request.getfixturevalue("sqlite_url")
        return found
    server: Postgres = request.getfixturevalue("safe_server")
    name = f"safe_{uuid4().hex}"
    server.sql(f"CREATE DATABASE {name}")
    migrations.upgrade(server.url(name))
    return server.url(name)


class Lives:
    """Tells the mortal process how to live, and looks at what it leaves."""

    def __init__(self, url: str, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.database, self._folder, self._process = Database(url), folder, process
        self.acknowledged = 0

    async def end(self, wallets: int, *deaths: tuple[str, int]) -> int:
        """Lives one after the other over the same wallets, each to its death, and what their heirs find.

        How many boundaries the last one passed, if it was not killed.
        """
        bank = Bank(self.database)
        for name in range(wallets):
            await bank.wallets.enrol(bank.operator, f"driver-{name}", "Somebody", "EUR")
        stories = await self._stories(bank)
        log = self._folder / f"{bank.operator}.log"
        heard: list[str] = []
        for point, number in deaths:
            ended = await self._life(bank, point, number, log)
            assert ended == (-signal.SIGKILL if number else 0), f"{point} {number} was not reached"
            heard = log.read_text().splitlines() if log.exists() else []
            await self._nothing_is_lost(stories, [line for line in heard if not line.startswith("passed ")])
        await asyncio.gather(*(story.told_again() for story in stories))
        await self._nothing_is_doubled(stories)
        return sum(int(line.split()[1]) for line in heard if line.startswith("passed "))

    async def _life(self, bank: Bank, point: str, number: int, log: Path) -> int:
        told = {"operator": str(bank.operator), "point": point, "number": number, "log": str(log)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        async with asyncio.timeout(60):
            return int(await self._process.stdout.readline())

    async def _stories(self, bank: Bank) -> list[Story]:
        await bank.entered()
        return [Story(bank, wallet) for wallet, *_ in bank.pairs]

    async def _nothing_is_lost(self, stories: list[Story], acknowledged: list[str]) -> None:
        postings, holds = table_of(LedgerPosting), table_of(Hold)
        at = stories[0].bank.operator
        async with self.database.read() as reader:
            rows = await reader.rows(select(postings.c.reference).where(postings.c.operator_id == at))
            found = await reader.list(Hold, select(holds).where(holds.c.operator_id == at))
        there = {row["reference"] for row in rows}
        by_name = {hold.authorization_reference: hold for hold in found}
        self.acknowledged += len(acknowledged)
        for line in acknowledged:
            number, name = line.split(" ", 1)
            story = stories[int(number)]
            (step,) = [one for one in story.steps() if one.name == name]
            assert set(step.posts) <= there, line
            if name in story.kept:
                hold, is_so = story.kept[name]
                assert is_so(by_name[hold]), line

    async def _nothing_is_doubled(self, stories: list[Story]) -> None:
        postings = table_of(LedgerPosting)
        bank = stories[0].bank
        for story in stories:
            found = await bank.wallets.balance(story.wallet)
            money = (found.available.minor, found.held.minor, found.promo.minor, found.owed.minor)
            assert money == END
        async with self.database.read() as reader:
            statement = select(func.count()).where(postings.c.operator_id == bank.operator)
            assert await reader.scalar(statement) == POSTINGS * len(stories)


@pytest.fixture
async def lives(safe_url: str, tmp_path: Path) -> AsyncIterator[Lives]:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tests.domain.wallets.mortal", safe_url)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    lived = Lives(safe_url, tmp_path, process)
    yield lived
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
    assert await Bank(lived.database).contradictions() == []
    await lived.database.close()


async def killed(lives: Lives, times: int, wallets: int) -> None:
    """At every named point, each at a chance occurrence, three in a row; then at chance boundaries."""
    chance = random.Random(times)
    for first in range(0, len(POINTS), 3):
        await lives.end(wallets, *((point, chance.randint(1, 3)) for point in POINTS[first : first + 3]))
    passed = await lives.end(wallets, ("", 0))
    assert passed > len(POINTS) * wallets
    for _ in range(times):
        await lives.end(wallets, ("", chance.randint(1, passed)))
    assert lives.acknowledged > times * wallets


async def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(lives: Lives) -> None:
    await killed(lives, 6, wallets=2)


@pytest.mark.soak
async def test_two_hundred_kills_lose_nothing_and_double_nothing(lives: Lives) -> None:
    await killed(lives, 200, wallets=8)
