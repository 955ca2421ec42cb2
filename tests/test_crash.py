"""SIGKILL in the middle: nothing that was acknowledged is lost, and nothing is booked twice."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

from sqlalchemy import select

from domain.columns import table_of
from domain.database import Database
from domain.ledger import LedgerPosting
from domain.sessions import CDR, ChargingSession, MeterReading
from tests.people import LIVE, Driver, gross, minor
from tests.processes import Json, until
from tests.stack import Stack

TOPPED_UP = 5000


async def test_a_session_outlives_its_gateway_and_is_billed_once(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    async with Stack(database_url, tmp_path, speed=60, battery_kwh=200) as stack:
        ada = stack.driver("ada")
        await ada.top_up(TOPPED_UP)
        session = await ada.start(await ada.quote())
        async with ada.subscribed(LIVE, id=session["id"]) as feed:
            await feed.more_than(5)
            stack.kill("gateway-0")
            assert await feed.closed() == "lost"
        last = feed.updates[-1]

        await stack.start("gateway-0")
        async with ada.subscribed(LIVE, id=session["id"], after=last["cursor"]) as feed:
            await feed.more_than(5)
            assert feed.sessions[0]["revision"] > last["session"]["revision"]
            assert gross(feed.sessions[0]["cost"]["accrued"]) >= gross(last["session"]["cost"]["accrued"])
            # The end of the session is on its way, and may or may not have been written down.
            await ada.stop(session)
            stack.kill("gateway-0")
        await stack.start("gateway-0")
        billed = await final_state(ada, session)

        await nothing_was_lost(stack, database, billed)
        bill = gross(billed["cdr"]["total"])
        assert bill == gross(billed["cost"]["ifStoppedNow"]) > 0
        assert await ada.balance() == await ada.balance("total") == TOPPED_UP - bill
        lines = [(entry["kind"], minor(entry["amount"])) for entry in await ada.entries()]
        assert lines == [("TOP_UP", TOPPED_UP), ("SESSION_CHARGE", -bill)]
        assert stack.tallywatt("audit").returncode == 0


async def final_state(ada: Driver, session: Json) -> Json:
    async def final() -> Json | None:
        now = await ada.session(session)
        return now if now["status"] == "COMPLETED" else None

    billed = await until(final)
    assert billed is not None
    return billed


async def nothing_was_lost(stack: Stack, database: Database, billed: Json) -> None:
    """The charge point and the books agree on every watt-hour; there is one bill, and one posting for it."""

    async def all_taken() -> Json | None:
        (counted,) = await stack.told_by_points()
        return counted if counted["pushed"] == counted["revisions"] else None

    counted = await until(all_taken)
    assert counted is not None
    assert (counted["status"], Decimal(str(counted["kwh"]))) == ("COMPLETED", Decimal(billed["energyKwh"]))
    async with database.snapshot() as reader:
        (row,) = await reader.list(ChargingSession, select(table_of(ChargingSession)))
        (cdr,) = await reader.list(CDR, select(table_of(CDR)))
        postings = await reader.list(LedgerPosting, select(table_of(LedgerPosting)))
        readings = await reader.list(MeterReading, select(table_of(MeterReading)))
    assert cdr.session_id == row.id
    assert Counter(posting.kind for posting in postings)["session_charge"] == 1
    assert [reading.number for reading in sorted(readings, key=lambda one: one.number)] == [*range(1, row.readings + 1)]
    assert max(reading.energy_wh for reading in readings) == row.energy_wh


async def test_a_payment_whose_notice_comes_after_the_crash_is_credited_once(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    async with Stack(database_url, tmp_path) as stack:
        await stack.fault(hold_webhooks=True, deliveries=["duplicate:2"])
        ada = stack.driver("ada")
        wish = await ada.wish(TOPPED_UP)
        await ada.pay(wish)
        assert (await stack.deliveries())["waiting"] == 3
        assert await ada.balance("total") == 0
        stack.kill("gateway-0")
        assert await stack.flush_webhooks() == 3
        await stack.start("gateway-0")

        async def all_delivered() -> bool:
            return (await stack.deliveries())["delivered"] == 3

        await until(all_delivered)
        stack.kill("gateway-0")
        await stack.start("gateway-0")

        async def credited() -> bool:
            return await ada.balance() == TOPPED_UP

        await until(credited)
        lines = [(entry["kind"], minor(entry["amount"])) for entry in await ada.entries()]
        assert lines == [("TOP_UP", TOPPED_UP)]
        async with database.snapshot() as reader:
            (posting,) = await reader.list(LedgerPosting, select(table_of(LedgerPosting)))
        assert posting.kind == "top_up"
        assert stack.tallywatt("audit").returncode == 0
