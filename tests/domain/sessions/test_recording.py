"""What operators push becomes state, cost, hold and bill: once, whole, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from sqlmodel import SQLModel

from domain.database import Database, Transaction
from domain.errors import DomainError, InvalidInput, NotFound, UnknownTariff, WalletInDebt
from domain.ledger import Document, Journal, LedgerPosting, chart
from domain.sessions import (
    CDR,
    Billing,
    ChargerCommand,
    ChargingSessionStatus,
    CommandKind,
    MeterReading,
    Recorded,
    Stop,
    StopReason,
    TokenName,
    lines_of,
)
from domain.tariffs import ChargingPeriod, DimensionType
from domain.wallets import HoldEvent, Holds, HoldStatus, WalletEntry, WalletEntryKind
from tests.domain.sessions.stage import (
    ACTIVE,
    COMPLETED,
    INVALID,
    NOON,
    STANDARD,
    Stage,
    after,
    built,
    card,
    component,
    period,
    tariff,
)

_Status = ChargingSessionStatus
VAT_DE = chart.vat("DE", Decimal(19))


@pytest.fixture
async def stage(database: Database) -> Stage:
    return await built(database)


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
    assert await stage.lies_in(VAT_DE) == 114
    assert await stage.spendable() == 4286
    assert orjson.loads(document.content)["lines"] == orjson.loads(cdr.content)["lines"] == orjson.loads(done.lines)
    assert sum(line.net_minor + line.tax_minor for line in lines_of(done.lines)) == 714
    assert [reading.energy_wh for reading in await stage.all(MeterReading)] == [0, 5000, 10_000, 10_000]
    await stage.audited()


async def test_parking_is_earned_apart(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    await stage.record(stage.patch("S1", None, 30, 5000))
    parked, _ = await stage.record(stage.patch("S1", None, 60, 5000))
    assert (parked.status, parked.power_w, parked.idle_seconds) == (_Status.PARKED, None, 1800)
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 5000))
    cdr = await stage.one(CDR)
    assert (cdr.net_minor, cdr.idle_net_minor, cdr.tax_minor, cdr.idle_tax_minor) == (650, 300, 124, 57)
    assert (cdr.charging_seconds, cdr.idle_seconds, done.gross.minor) == (1800, 1800, 774)
    assert await stage.lies_in(chart.charging_revenue(stage.operator)) == 350
    assert await stage.lies_in(chart.idle_fee_revenue(stage.operator)) == 300
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


async def test_a_push_older_than_what_is_known_is_ignored(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    await stage.record(stage.patch("S1", None, 30, 5000))
    before = await stage.everything()
    for late in (stage.patch("S1", None, 20, 3000), stage.push("S1", INVALID, 29, 9000)):
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


# --- money set aside ----------------------------------------------------------------------------------------------


async def test_a_card_with_too_little_money_holds_what_is_left_is_told_to_stop_and_owes_the_rest(stage: Stage) -> None:
    poor = await stage.rich_driver("poor", 300)
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0, token=card("poor")))
    assert ((await stage.money(poor)).held.minor, session.is_exhausted) == (300, False)
    session, _ = await stage.record(stage.patch("S1", None, 30, 5000))
    assert (session.is_exhausted, session.stop_reason, session.status) == (
        True,
        StopReason.FUNDS_EXHAUSTED,
        _Status.CHARGING,
    )
    order = await stage.one(ChargerCommand)
    assert (order.kind, order.session_id) == (CommandKind.STOP, session.id)
    await stage.record(stage.patch("S1", None, 40, 6000))
    assert len(await stage.all(ChargerCommand)) == 1
    assert await stage.services.orders.push_on(stage.operator) == 1
    assert [sent.session for sent in stage.line.sent if isinstance(sent, Stop)] == ["S1"]
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    money = await stage.money(poor)
    assert (done.stop_reason, money.total.minor, money.owed.minor) == (StopReason.FUNDS_EXHAUSTED, 0, 414)
    with pytest.raises(WalletInDebt):
        await stage.start(driver=poor)
    await stage.fund(poor, 500)
    money = await stage.money(poor)
    assert (money.available.minor, money.owed.minor) == (86, 0)
    await stage.audited()


async def test_a_card_without_any_money_still_gets_its_bill(stage: Stage) -> None:
    poor = await stage.rich_driver("poor", 0)
    await stage.charged(token=card("poor"))
    assert (await stage.money(poor)).owed.minor == 714
    await stage.audited()


@pytest.mark.parametrize(("wh", "gross", "held"), [(11_445, 800, 1000), (11_462, 801, 2000), (48_000, 2975, 4000)])
async def test_the_hold_grows_in_steps_when_the_cost_passes_four_fifths_of_it(
    stage: Stage, wh: int, gross: int, held: int
) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    session, _ = await stage.record(stage.patch("S1", None, 30, wh))
    assert (session.gross.minor, (await stage.money()).held.minor) == (gross, held)
    assert (await stage.held(session)).raised_minor == held
    await stage.audited()


async def test_a_hold_without_a_step_grows_by_what_is_needed(stage: Stage) -> None:
    operator = await stage.services.partners.operator(stage.operator)
    async with stage.database.transaction() as tx:
        await tx.change(type(operator), {"operator_id": stage.operator}, opening_hold_minor=0)
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    session, _ = await stage.record(stage.patch("S1", None, 30, 5000))
    assert (await stage.held(session)).raised_minor == 522
    await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    await stage.audited()


async def test_an_invalid_session_gives_the_money_back_and_bills_nothing(stage: Stage) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    session, _ = await stage.record(stage.patch("S1", INVALID, 5, 700))
    assert (session.status, session.stop_reason) == (_Status.FAILED, StopReason.FAULT)
    assert (await stage.held(session)).status is HoldStatus.RELEASED
    assert (await stage.spendable(), await stage.all(CDR), await stage.all(Document)) == (5000, [], [])
    assert (await stage.record(stage.patch("S1", COMPLETED, 60, 10_000)))[1] is Recorded.STALE
    await stage.audited()


async def test_a_session_in_another_currency_is_billed_in_a_wallet_of_its_own(stage: Stage) -> None:
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, STANDARD | {"currency": "SEK"})
    session = await stage.charged()
    assert (session.currency, session.status) == ("SEK", _Status.COMPLETED)
    wallets = await stage.services.wallets.wallets_of(stage.operator, stage.driver.id)
    owed = {wallet.currency: (await stage.services.wallets.balance(wallet)).owed.minor for wallet in wallets}
    assert owed == {"EUR": 0, "SEK": 714}
    await stage.audited()


# --- drivers of others --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "pays"), [("MSP", "issuer"), ("XXX", "cpo")])
async def test_a_foreign_driver_is_billed_to_the_partner(stage: Stage, name: str, pays: str) -> None:
    foreign = TokenName(("DE", name), "CARD-DRIVER", None, is_app=False)
    session = await stage.charged(token=foreign)
    assert (session.driver_id, session.wallet_id, session.channel.value) == (None, None, "roaming")
    cdr = await stage.one(CDR)
    assert (cdr.gross.minor, cdr.document_id) == (714, None)
    assert await stage.lies_in(chart.emsp_receivable(getattr(stage, pays).id)) == -714
    assert await stage.lies_in(chart.charging_revenue(stage.operator)) == 600
    assert await stage.spendable() == 5000
    await stage.audited()


async def test_a_foreign_driver_who_charged_for_nothing_is_billed_nothing(stage: Stage) -> None:
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, tariff("STANDARD", component("ENERGY", "0.50")))
    session = await stage.charged(wh=0, token=TokenName(("DE", "MSP"), "X", None, is_app=False))
    assert (session.status, session.gross.minor) == (_Status.COMPLETED, 0)
    assert await stage.all(LedgerPosting, kind="partner_bill") == []
    await stage.audited()


# --- a crash in between -------------------------------------------------------------------------------------------


class Crash(Exception):
    """The process died here."""


STEPS: list[tuple[type[object], str]] = [
    (Holds, "capture"),
    (Holds, "_step"),
    (Journal, "_move"),
    (Journal, "_entry_rows"),
    (Billing, "_cdr"),
    (Billing, "_document"),
    (Billing, "_settle"),
]


@pytest.mark.parametrize(("part", "step"), STEPS, ids=lambda value: getattr(value, "__name__", value))
async def test_a_crash_in_between_leaves_nothing_and_the_retry_completes_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, part: type[object], step: str
) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    before, final = await stage.everything(), stage.patch("S1", COMPLETED, 60, 10_000)
    original: Callable[..., Any] = getattr(part, step)

    def crashing(*args: object, **kwargs: object) -> object:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(part, step, crashing)
        with pytest.raises(Crash):
            await stage.record(final)
    assert getattr(part, step) is original
    assert await stage.everything() == before
    session, outcome = await stage.record(final)
    assert (outcome, session.status, session.gross.minor) == (Recorded.UPDATED, _Status.COMPLETED, 714)
    await stage.audited()


@pytest.mark.parametrize("table", ["meter_reading", "hold_event", "wallet_entry", "document", "cdr"])
async def test_a_push_cancelled_after_any_row_leaves_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """The task dies right after a row was written: whoever asked has gone away."""
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    before, final = await stage.everything(), stage.patch("S1", COMPLETED, 60, 10_000)
    reached, insert = asyncio.Event(), Transaction.insert

    async def stalling(tx: Transaction, *records: SQLModel) -> None:
        await insert(tx, *records)
        if any(record.__tablename__ == table for record in records):
            reached.set()
            await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "insert", stalling)
        task = asyncio.create_task(stage.record(final))
        await asyncio.wait_for(reached.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await stage.everything() == before
    session, _ = await stage.record(final)
    assert session.status is _Status.COMPLETED
    await stage.audited()


async def test_nothing_is_published_before_it_is_committed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))

    def crashing(*args: object, **kwargs: object) -> object:
        raise Crash

    async with stage.feed.listen(session.id) as mailbox:
        with monkeypatch.context() as patch:
            patch.setattr(Billing, "_document", crashing)
            with pytest.raises(Crash):
                await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
        await stage.record(stage.patch("S1", None, 30, 5000))
        newest = await asyncio.wait_for(mailbox.take(), 5)
    assert newest is not None
    assert (newest.status, newest.energy_wh) == (_Status.CHARGING, 5000)
