"""Operators that bill their sessions themselves: their CDR counts, to the cent, once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from fractions import Fraction

import pytest

from domain.database import Database
from domain.energy import Energy
from domain.errors import InvalidInput, NotFound, StateConflict
from domain.ledger import Document, chart
from domain.money import Money
from domain.sessions import (
    CDR,
    CdrPush,
    ChargingSession,
    ChargingSessionStatus,
    Declared,
    Recorded,
    TokenName,
    lines_of,
)
from tests.domain.sessions.ocpi_objects import STANDARD, after, component, tariff
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, INVALID, Stage, built, euro

_Status = ChargingSessionStatus


@pytest.fixture
async def stage(database: Database) -> Stage:
    stage = await built(database)
    await stage.record(stage.push("S1", ACTIVE, 0, 0, location="L9"), stage.biller)
    return stage


async def ended(stage: Stage) -> ChargingSession:
    push = stage.patch("S1", COMPLETED, 60, 10_000, ended_at=after(60))
    session, _ = await stage.record(push, stage.biller)
    return session


async def billed(stage: Stage, push: CdrPush) -> tuple[ChargingSession, bool]:
    return await stage.services.recording.bill(stage.biller, push, CAUSE)


async def test_a_session_waits_for_the_bill_of_its_operator_which_counts_to_the_cent(stage: Stage) -> None:
    session = await ended(stage)
    assert (session.status, session.gross.minor, await stage.all(CDR)) == (_Status.STOPPING, 595, [])
    parking, energy = Declared(euro(100), euro(119)), Declared(euro(500), euro(595))
    push = stage.bill("C1", "S1", 613, 729, parking_cost=parking, energy_cost=energy)
    done, is_new = await billed(stage, push)
    assert (is_new, done.status, done.net_minor, done.tax_minor) == (True, _Status.COMPLETED, 613, 116)
    cdr = await stage.one(CDR)
    assert (cdr.ocpi_id, cdr.is_declared, cdr.gross.minor, cdr.content) == ("C1", True, 729, push.content)
    assert (cdr.idle_net_minor, cdr.charging_seconds, cdr.idle_seconds) == (100, 2700, 900)
    assert [(line.kind.value, line.net_minor, line.tax_minor) for line in lines_of(done.lines)] == [
        ("energy", 500, 95),
        ("parking_time", 100, 19),
        ("rounding", 13, 2),
    ]
    assert (await stage.spendable(), (await stage.one(Document)).tax_minor) == (5000 - 729, 116)
    assert await stage.lies_in(chart.vat("DE", Decimal(19))) == 116
    await stage.audited()


async def test_a_bill_may_come_before_the_end_was_told(stage: Stage) -> None:
    done, _ = await billed(stage, stage.bill("C1", "S1", 500, 595))
    assert (done.status, done.ended_at, done.energy_wh) == (_Status.COMPLETED, after(60), 10_000)
    late, outcome = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000), stage.biller)
    assert (late, outcome) == (done, Recorded.STALE)
    await stage.audited()


async def test_the_same_bill_again_changes_nothing(stage: Stage) -> None:
    await ended(stage)
    done, _ = await billed(stage, stage.bill("C1", "S1", 500, 595))
    before = await stage.everything()
    assert await billed(stage, stage.bill("C1", "S1", 500, 595)) == (done, False)
    assert (await stage.services.recording.cdr(stage.biller, "C1")).session_id == done.id
    assert await stage.everything() == before


async def test_the_same_bill_at_once_counts_once(stage: Stage) -> None:
    await ended(stage)
    told = await asyncio.gather(*(billed(stage, stage.bill("C1", "S1", 500, 595)) for _ in range(4)))
    assert sorted(is_new for _, is_new in told) == [False, False, False, True]
    assert (len(await stage.all(CDR)), await stage.spendable()) == (1, 4405)
    await stage.audited()


@pytest.mark.parametrize(
    ("name", "session", "net", "gross", "error"),
    [
        ("C1", "S1", 500, 596, StateConflict),
        ("C2", "S1", 500, 595, StateConflict),
        ("C2", "S2", 500, 595, NotFound),
    ],
)
async def test_a_bill_that_contradicts_is_refused(
    stage: Stage, name: str, session: str, net: int, gross: int, error: type[Exception]
) -> None:
    await billed(stage, stage.bill("C1", "S1", 500, 595))
    before = await stage.everything()
    with pytest.raises(error):
        await billed(stage, stage.bill(name, session, net, gross))
    assert await stage.everything() == before


async def test_a_bill_of_another_party_or_currency_is_refused(stage: Stage) -> None:
    await ended(stage)
    before = await stage.everything()
    crowns = Declared(Money(500, "SEK"), Money(595, "SEK"))
    with pytest.raises(InvalidInput):
        await billed(stage, stage.bill("C1", "S1", 500, 595, total=crowns))
    with pytest.raises(NotFound):
        await stage.services.recording.bill(stage.cpo, stage.bill("C1", "S1", 500, 595), CAUSE)
    with pytest.raises(NotFound):
        await stage.services.recording.cdr(stage.biller, "C1")
    assert await stage.everything() == before


@pytest.mark.parametrize(
    "facts",
    [
        {"total": Declared(euro(-500), euro(-400))},
        {"total": Declared(euro(500), euro(499))},
        {"energy": Energy(-1)},
        {"ended_at": after(-1)},
        {"parking_hours": Fraction(3, 2)},
    ],
    ids=lambda facts: next(iter(facts)),
)
async def test_a_bill_of_less_than_nothing_is_refused(stage: Stage, facts: dict[str, object]) -> None:
    await ended(stage)
    before = await stage.everything()
    with pytest.raises(InvalidInput):
        await billed(stage, stage.bill("C1", "S1", 500, 595, **facts))
    assert await stage.everything() == before


async def test_a_session_that_failed_takes_no_bill(stage: Stage) -> None:
    await stage.record(stage.patch("S1", INVALID, 5, 0), stage.biller)
    before = await stage.everything()
    with pytest.raises(StateConflict):
        await billed(stage, stage.bill("C1", "S1", 500, 595))
    assert await stage.everything() == before


async def test_whoever_is_billed_by_us_cannot_bill_again(stage: Stage) -> None:
    await stage.charged("S7")
    before = await stage.everything()
    with pytest.raises(StateConflict):
        await stage.services.recording.bill(stage.cpo, stage.bill("C1", "S7", 500, 595), CAUSE)
    assert await stage.everything() == before


async def test_tax_without_a_single_rate_lies_under_the_rate_it_amounts_to(stage: Stage) -> None:
    mixed = tariff("STANDARD", component("ENERGY", "0.50", 19), component("FLAT", "1.00", 7), party=("DE", "BIL"))
    await stage.services.tariffs.publish(stage.operator, stage.biller.id, mixed)
    await stage.record(stage.push("S2", ACTIVE, 0, 0, location="L9"), stage.biller)
    await billed(stage, stage.bill("C2", "S2", 600, 702))
    assert await stage.lies_in(chart.vat("DE", Decimal(17))) == 102
    await stage.audited()


async def test_a_bill_for_nothing_is_a_bill(stage: Stage) -> None:
    await ended(stage)
    done, is_new = await billed(stage, stage.bill("C1", "S1", 0, 0))
    assert (is_new, done.status, await stage.spendable()) == (True, _Status.COMPLETED, 5000)
    await stage.audited()


async def test_a_foreign_driver_is_billed_as_the_operator_says(stage: Stage) -> None:
    foreign = TokenName(("DE", "MSP"), "X", None, is_app=False)
    await stage.record(stage.push("S2", ACTIVE, 0, 0, location="L9", token=foreign), stage.biller)
    done, _ = await billed(stage, stage.bill("C2", "S2", 600, 702))
    assert (done.gross.minor, await stage.lies_in(chart.emsp_receivable(stage.issuer.id))) == (702, -702)
    assert STANDARD["currency"] == done.currency
    await stage.audited()
