"""What operators push becomes state, cost and bill: once, whole, or not at all."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import orjson
import pytest

from domain.errors import DomainError, InvalidInput, NotFound, UnknownTariff
from domain.ledger import Document, chart
from domain.sessions import CDR, ChargingSessionStatus, MeterReading, Recorded, StopReason, lines_of
from domain.tariffs import ChargingPeriod, DimensionType
from domain.wallets import HoldEvent, HoldStatus, WalletEntry, WalletEntryKind
from tests.domain.sessions.ocpi_objects import NOON, after, card, component, period, tariff
from tests.domain.sessions.stage import ACTIVE, COMPLETED, INVALID, Stage

_Status = ChargingSessionStatus


# --- from the first push to the bill ------------------------------------------------------------------------------


async def test_a_session_is_billed_once_and_every_book_says_the_same(stage: Stage) -> None:
    begun, outcome = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    assert (outcome, begun.status, begun.gross.minor) == (Recorded.CREATED, _Status.CHARGING, 0)
    running, outcome = await stage.record(stage.patch("S1", None, 30, 5000))
    assert (outcome, running.gross.minor, running.power_w) == (Recorded.UPDATED, 417, 10_000)
    shown, _ = await stage.record(stage.patch("S1", None, 60, 10_000))
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 61, None, ended_at=after(60)))
    assert (done.status, done.ended_at, done.gross, done.power_w) == (_Status.COMPLETED, after(60), shown.gross, None)
    assert done.stop_reason is StopReason.STATION
    (cdr,) = await stage.cdrs(done)
    document = await stage.one(Document)
    charge = await stage.one(WalletEntry, kind=WalletEntryKind.SESSION_CHARGE)
    hold = await stage.held(done)
    assert (done.net_minor, done.tax_minor) == (600, 114)
    assert (cdr.net_minor, cdr.tax_minor, cdr.energy_wh, cdr.document_id) == (600, 114, 10_000, document.id)
    assert (document.net_minor, document.tax_minor, document.printed_number) == (600, 114, "B-2026-000001")
    assert (charge.amount_minor, charge.balance_after_minor) == (-714, 4286)
    assert (hold.status, hold.captured_minor, hold.released_minor) == (HoldStatus.CAPTURED, 714, 286)
    assert await stage.lies_in(chart.charging_revenue(stage.operator)) == 600
    assert await stage.lies_in(chart.vat("DE", Decimal(19))) == 114
    assert await stage.spendable() == 4286
    assert orjson.loads(document.content)["lines"] == orjson.loads(cdr.content)["lines"] == orjson.loads(done.lines)
    assert sum(line.net_minor + line.tax_minor for line in lines_of(done.lines)) == 714
    assert [reading.energy_wh for reading in await stage.all(MeterReading)] == [0, 5000, 10_000, 10_000]
    await stage.audited()


async def test_a_push_told_again_changes_nothing(stage: Stage) -> None:
    first, final = stage.push("S1", ACTIVE, 0, 0), stage.push("S1", COMPLETED, 60, 10_000, ended_at=after(60))
    await stage.record(first)
    before = await stage.everything()
    assert (await stage.record(first))[1] is Recorded.STALE
    assert await stage.everything() == before
    await stage.record(final)
    before = await stage.everything()
    assert (await stage.record(final))[1] is Recorded.STALE
    assert await stage.everything() == before


async def test_a_push_overtaken_by_a_newer_one_says_nothing_about_where_things_stand(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    await stage.record(stage.patch("S1", None, 30, 5000))
    before = await stage.everything()
    for late in (stage.patch("S1", ACTIVE, 20, None), stage.push("S1", INVALID, 29, 9000)):
        session, outcome = await stage.record(late)
        assert (outcome, session.energy_wh, session.status) == (Recorded.STALE, 5000, _Status.CHARGING)
    assert await stage.everything() == before


async def test_a_session_that_ended_stays_as_it_was_billed(stage: Stage) -> None:
    done = await stage.charged()
    before = await stage.everything()
    session, outcome = await stage.record(stage.push("S1", ACTIVE, 90, 20_000))
    assert (outcome, session) == (Recorded.STALE, done)
    assert await stage.everything() == before


async def test_a_session_told_only_when_it_was_over_is_billed(stage: Stage) -> None:
    session, outcome = await stage.record(stage.push("S1", COMPLETED, 61, 10_000, ended_at=after(60)))
    assert (outcome, session.status, session.gross.minor) == (Recorded.CREATED, _Status.COMPLETED, 714)
    await stage.audited()


async def test_an_end_without_an_instant_is_when_it_was_told_and_never_before_the_start(stage: Stage) -> None:
    session, _ = await stage.record(stage.push("S1", COMPLETED, -5, 0))
    assert (session.started_at, session.ended_at, session.status) == (NOON, NOON, _Status.COMPLETED)
    await stage.record(stage.push("S2", ACTIVE, 0, 0))
    session, _ = await stage.record(stage.patch("S2", COMPLETED, 45, 6000))
    assert (session.ended_at, session.charging_seconds) == (after(45), 2700)


async def test_declared_periods_are_billed_as_declared(stage: Stage) -> None:
    told = (period(0, "10", hours="0.75"), period(45, hours="0.25", parked=True))
    session, _ = await stage.record(stage.push("S1", COMPLETED, 60, 10_000, ended_at=after(60), periods=told))
    assert (session.charging_seconds, session.idle_seconds) == (2700, 900)
    assert session.net_minor == 100 + 500 + 150
    evidence = {line.evidence and line.evidence.value for line in lines_of(session.lines)}
    assert evidence == {"metered"}


async def test_a_supply_that_is_held_back_is_neither_charging_nor_idle_and_costs_nothing(stage: Stage) -> None:
    charged, paused, parked = period(0, "10", hours="0.5"), period(30, "0"), period(50, hours="0.25", parked=True)
    await stage.record(stage.push("S1", ACTIVE, 30, 10_000, periods=(charged,)))
    begun, _ = await stage.record(stage.patch("S1", None, 30, 10_000, periods=(paused,)))
    assert (begun.status, begun.paused_seconds) == (_Status.CHARGING, 0)
    held, _ = await stage.record(stage.patch("S1", None, 45, 10_000))
    assert (held.status, held.paused_seconds, held.power_w) == (_Status.SUSPENDED, 900, None)
    assert (held.net_minor, held.gross) == (100 + 500, begun.gross)
    idle, _ = await stage.record(stage.patch("S1", None, 50, 10_000, periods=(parked,)))
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 65, 10_000))
    assert idle.status is _Status.PARKED
    assert (done.charging_seconds, done.idle_seconds, done.paused_seconds) == (1800, 900, 1200)
    assert done.net_minor == 100 + 500 + 150
    await stage.audited()


async def test_a_session_keeps_the_tariff_it_began_with(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    dearer = tariff("STANDARD", component("ENERGY", "9.00"))
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, dearer)
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    later, _ = await stage.record(stage.push("S2", COMPLETED, 60, 1000, ended_at=after(60)))
    assert (done.gross.minor, later.net_minor) == (714, 900)
    await stage.audited()


async def test_a_tariff_named_by_a_period_is_locked_when_it_is_first_named(stage: Stage) -> None:
    night = tariff("NIGHT", component("ENERGY", "0.20"))
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, night)
    energy = ((DimensionType.ENERGY, Decimal(5)),)
    named = (ChargingPeriod(NOON, energy, "STANDARD"), ChargingPeriod(after(30), energy, "night"))
    session, _ = await stage.record(stage.push("S1", ACTIVE, 31, 10_000, periods=named[:1]))
    with pytest.raises(UnknownTariff):
        await stage.record(stage.patch("S1", None, 32, 10_000, periods=(ChargingPeriod(after(30), energy, "DAWN"),)))
    session, _ = await stage.record(
        stage.push("S1", ACTIVE, 33, 10_000, periods=(named[0], ChargingPeriod(after(30), energy, "NIGHT")))
    )
    assert session.net_minor == 100 + 250 + 100
    cheaper = tariff("NIGHT", component("ENERGY", "0.01"))
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, cheaper)
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    assert done.net_minor == 450
    await stage.audited()


# --- refused: nothing is stored -----------------------------------------------------------------------------------

REFUSED: dict[str, tuple[type[DomainError], tuple[str, ...], dict[str, Any]]] = {
    "unknown location": (NotFound, ("location_id",), {"location": "L7"}),
    "unknown EVSE": (NotFound, ("location_id",), {"evse_uid": "E7"}),
    "unknown connector": (NotFound, ("location_id",), {"connector": "7"}),
    "no location": (InvalidInput, ("location_id",), {"location": None}),
    "no EVSE": (InvalidInput, ("evse_uid",), {"evse_uid": None}),
    "no connector": (InvalidInput, ("connector_id",), {"connector": None}),
    "no token": (InvalidInput, ("cdr_token",), {"token": None}),
    "a token of ours that we never issued": (NotFound, ("cdr_token", "uid"), {"token": card("nobody")}),
    "a connector without a tariff": (UnknownTariff, (), {"evse_uid": "E3"}),
    "an end before the start": (InvalidInput, ("end_date_time",), {"ended_at": after(-1)}),
    "periods that contradict": (InvalidInput, ("charging_periods",), {"periods": (period(0, "1"), period(0, "2"))}),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_a_refused_session_leaves_nothing(stage: Stage, why: str) -> None:
    error, path, facts = REFUSED[why]
    before = await stage.everything()
    with pytest.raises(error) as refused:
        await stage.record(stage.push("S1", ACTIVE, 30, 1000, **facts))
    assert getattr(refused.value, "path", ()) == path
    assert await stage.everything() == before


async def test_a_patch_of_a_session_that_nobody_put_is_refused(stage: Stage) -> None:
    before = await stage.everything()
    with pytest.raises(NotFound):
        await stage.record(stage.patch("S1", ACTIVE, 0, 0))
    assert await stage.everything() == before


async def test_another_party_does_not_see_the_session(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    before = await stage.everything()
    with pytest.raises(NotFound):
        await stage.record(stage.patch("S1", COMPLETED, 60, 10_000), stage.biller)
    with pytest.raises(NotFound):
        await stage.services.recording.pushed(stage.biller, "S1")
    assert (await stage.services.recording.pushed(stage.cpo, "S1")).ocpi_id == "S1"
    assert await stage.everything() == before


async def test_a_meter_that_runs_backwards_is_refused(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    await stage.record(stage.patch("S1", None, 30, 5000))
    before = await stage.everything()
    for push in (stage.patch("S1", None, 31, 4999), stage.push("S1", COMPLETED, 60, 0, ended_at=after(60))):
        with pytest.raises(InvalidInput):
            await stage.record(push)
        assert await stage.everything() == before


# --- at the same time ---------------------------------------------------------------------------------------------


async def test_identical_first_pushes_at_once_begin_one_session(stage: Stage) -> None:
    told = await asyncio.gather(*(stage.record(stage.push("S1", ACTIVE, 0, 0)) for _ in range(4)))
    assert sorted(outcome for _, outcome in told).count(Recorded.STALE) == 3
    assert len({session.id for session, _ in told}) == 1
    assert len(await stage.all(MeterReading)) == len(await stage.all(HoldEvent)) == 1
    await stage.audited()


async def test_identical_final_pushes_at_once_are_billed_once(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    final = stage.patch("S1", COMPLETED, 60, 10_000)
    told = await asyncio.gather(*(stage.record(final) for _ in range(4)))
    assert sorted(outcome for _, outcome in told) == [Recorded.STALE] * 3 + [Recorded.UPDATED]
    assert {session.status for session, _ in told} == {_Status.COMPLETED}
    assert len(await stage.all(CDR)) == len(await stage.all(Document)) == 1
    assert await stage.spendable() == 4286
    await stage.audited()


async def test_sessions_of_one_driver_at_once_spend_the_money_once(stage: Stage) -> None:
    names = [f"S{n}" for n in range(5)]
    await asyncio.gather(*(stage.record(stage.push(name, ACTIVE, 0, 0)) for name in names))
    assert (await stage.money()).held.minor == 5000
    await asyncio.gather(*(stage.record(stage.patch(name, COMPLETED, 60, 10_000)) for name in names))
    assert await stage.spendable() == 5000 - 5 * 714
    numbers = [document.number for document in await stage.all(Document)]
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    await stage.audited()
