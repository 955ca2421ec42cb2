"""Recorded sessions told to a gateway: each once, and every sum is that of the file."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select
from sqlmodel import SQLModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api import ocpi
from api.keys import Keys
from api.replay import BadFile, GatewayAway, Progress, ReplayOptions, ReplayReport, replay, report_text
from domain.clock import SystemClock
from domain.database import Database
from domain.money import Money
from domain.partners import Operator
from domain.services import assemble
from domain.sessions import InProcessFeed
from tests.api.replayed import FILE, HOME, KEYS, NoCommands, World
from tests.api.serving import listening
from tests.domain.sessions.outside import NoGateway

REFUSED_LINES = {9, 11, 12, 14, 15, 16, 17, 18, 22, 23, 24, 25, 26, 30, 31, 32, 33, 36}


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    services = assemble(database, InProcessFeed(), NoGateway(), NoCommands(), SystemClock())
    await services.partners.add_operator(
        Operator(
            operator_id=HOME,
            name="Ours",
            country_code="CH",
            party_id="OUR",
            currency="CHF",
            time_zone="Europe/Zurich",
            opening_hold_minor=2500,
        )
    )
    app = Starlette(routes=ocpi.routes(services, HOME, KEYS, "http://gateway.test"))
    async with listening(app) as url:
        yield World(services, url)


def billed() -> list[dict[str, str]]:
    """The rows of the file that are to be billed."""
    with FILE.open(encoding="utf-8", newline="") as file:
        found = {line: row for line, row in enumerate(csv.DictReader(file), 2) if line not in REFUSED_LINES}
    return [row for row in found.values() if row["debit"]]


def cents(row: dict[str, str]) -> int:
    exact = Decimal(row["debit"]) * 100
    assert exact == int(exact)
    return int(exact)


def net_cents(row: dict[str, str]) -> int:
    return (cents(row) * 200 + 108) // 216


async def test_revenue_by_month_and_by_station_is_that_of_the_file(world: World) -> None:
    report = await world.replay()

    months: dict[str, tuple[int, ...]] = defaultdict(lambda: (0, 0, 0))
    stations: dict[str, tuple[int, ...]] = defaultdict(lambda: (0, 0, 0))
    for row in billed():
        for sums, place, last in (
            (months, row["started_at_local"][:7], net_cents(row)),
            (stations, row["station_id"], int(row["energy_wh"])),
        ):
            count, gross, rest = sums[place]
            sums[place] = (count + 1, gross + cents(row), rest + last)
    assert await world.months() == months
    assert await world.stations() == stations
    assert report.billed == Money(sum(map(cents, billed())), "CHF")
    assert await world.audited()


async def test_nothing_is_lost_and_everything_is_counted(world: World) -> None:
    report = await world.replay()

    assert (report.rows, report.carried) == (41, 23)
    assert report.rows == report.carried + sum(counted.count for counted in report.refused.values())
    assert {line for counted in report.refused.values() for line in counted.lines} == REFUSED_LINES
    assert (report.sessions_created, report.sessions_known) == (23, 0)
    assert (report.cdrs_created, report.cdrs_known) == (len(billed()), 0) == (20, 0)
    no_user = next(counted for reason, counted in report.quirks.items() if reason.startswith("no user"))
    assert (no_user.count, no_user.lines) == (4, (3, 7, 13, 35))
    tables = await world.rows()
    assert (tables["charging_session"], tables["cdr"]) == (23, 20)
    assert (tables["party"], tables["location"]) == (1, 4)
    assert report.retries == 0


async def test_told_twice_nothing_changes(world: World) -> None:
    first = await world.replay()
    before = await world.rows()
    again = await world.replay()

    assert await world.rows() == before
    assert (again.sessions_created, again.sessions_known) == (0, 23)
    assert (again.cdrs_created, again.cdrs_known) == (0, 20)
    assert (again.billed, again.refused, again.quirks) == (first.billed, first.refused, first.quirks)


async def test_cut_off_in_the_middle_and_told_again_everything_is_there_once(world: World) -> None:
    running: asyncio.Task[ReplayReport]

    def cut(progress: Progress) -> None:
        if progress.done - progress.refused >= 8:
            running.cancel()

    running = asyncio.create_task(world.replay(progress=cut))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert 0 < (await world.rows())["cdr"] < 20

    report = await world.replay()
    tables = await world.rows()
    assert report.carried == 23
    assert (tables["charging_session"], tables["cdr"]) == (23, 20)
    assert sum(gross for _, gross, _ in (await world.months()).values()) == report.billed.minor
    await world.replay()
    assert await world.rows() == tables
    assert await world.audited()


async def test_a_gateway_that_is_gone_ends_the_run_and_a_new_one_goes_on(world: World) -> None:
    options = ReplayOptions(HOME, patience_seconds=0)
    with pytest.raises(GatewayAway, match=r"127\.0\.0\.1:9 takes no messages: ConnectError"):
        await replay(FILE, options, world.services, KEYS, "http://127.0.0.1:9", lambda _: None)
    assert (await world.replay()).sessions_created == 23


async def test_a_gateway_over_another_store_is_noticed_at_once(world: World) -> None:
    app = Starlette(routes=ocpi.routes(world.services, HOME, Keys(b"o" * 32), "http://gateway.test"))
    async with listening(app) as url:
        with pytest.raises(GatewayAway, match="its store is another"):
            await World(world.services, url).replay()
    assert (await world.rows())["charging_session"] == 0


async def test_a_limit_takes_the_first_rows_and_the_rest_follows_later(world: World) -> None:
    part = await world.replay(limit=9)
    assert (part.rows, part.carried, part.sessions_created, part.cdrs_created) == (9, 8, 8, 6)
    whole = await world.replay()
    assert (whole.sessions_created, whole.sessions_known, whole.cdrs_known) == (15, 8, 6)


async def test_recorded_time_passes_faster_and_sessions_overlap_as_they_did(world: World, tmp_path: Path) -> None:
    header, *rows = FILE.read_text("utf-8").splitlines()
    path = tmp_path / "evening.csv"
    path.write_text("\n".join([header, rows[32], rows[33]]), "utf-8")
    seen: list[int] = []
    began = datetime.now(UTC)
    report = await world.replay(path, speed=Decimal(3600), progress=lambda told: seen.append(told.done))
    took = datetime.now(UTC) - began

    assert timedelta(seconds=1) < took < timedelta(seconds=20)  # an hour and a half, in a second and a half
    assert report.carried == 2
    assert seen == [1, 2]
    async with world.services.database.read() as reader:
        log = SQLModel.metadata.tables["meter_reading"]
        told = await reader.rows(select(log.c.session_id, log.c.received_at).order_by(log.c.received_at))
    assert len(list(groupby(row["session_id"] for row in told))) > 2


async def test_what_the_gateway_refuses_is_counted_in_its_own_words(world: World, tmp_path: Path) -> None:
    await world.replay(limit=1)
    header, row = FILE.read_text("utf-8").splitlines()[:2]
    path = tmp_path / "changed.csv"
    path.write_text(f"{header}\n{row.replace('4.53', '4.54')}\n", "utf-8")
    before = await world.rows()

    report = await world.replay(path)
    words = "POST: HTTP 200, OCPI 2001: This CDR is known with another content."
    assert {reason: counted.lines for reason, counted in report.refused.items()} == {words: (2,)}
    assert (report.rows, report.carried, report.sessions_known, report.cdrs_known) == (1, 0, 1, 0)
    assert report.billed == Money(0, "CHF")
    assert await world.rows() == before


async def test_a_file_that_is_none_changes_nothing(world: World, tmp_path: Path) -> None:
    path = tmp_path / "sessions.csv"
    path.write_bytes(b"\xff\xfe")
    before = await world.rows()
    with pytest.raises(BadFile):
        await world.replay(path)
    assert await world.rows() == before


async def test_the_report_is_plain_values_and_readable_text(world: World) -> None:
    report = await world.replay()
    plain = orjson.loads(orjson.dumps(report.as_json()))
    assert plain["billed"] == {"amount": str(report.billed.major), "currency": "CHF"}
    assert plain["refused"]["debit is not a number"] == {"count": 2, "lines": [14, 32]}
    text = report_text(report).splitlines()
    assert text[0] == "41 rows: 23 carried, 18 refused"
    assert any("debit is not a number (line 14, 32)" in line for line in text)


async def test_a_busy_gateway_is_asked_again_and_a_failing_one_a_few_times(world: World) -> None:
    asked: Counter[str] = Counter()

    async def answer(request: Request) -> Response:
        asked[request.url.path] += 1
        if request.url.path.endswith("9003"):
            return JSONResponse({"status_code": 3000, "status_message": "It broke."}, 500)
        if asked[request.url.path] % 3:
            return Response("busy", 503)
        return JSONResponse({"status_code": 1000}, 201)

    async with listening(Starlette(routes=[Route("/{path:path}", answer, methods=["PUT", "PATCH", "POST"])])) as url:
        report = await World(world.services, url).replay(limit=3)
    assert (report.rows, report.carried, report.cdrs_created) == (3, 2, 1)
    assert {reason: counted.lines for reason, counted in report.refused.items()} == {
        "PUT: HTTP 500, OCPI 3000: It broke.": (4,)
    }
    assert report.retries == 4 + 2 * report.messages
