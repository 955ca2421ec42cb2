"""The bill of a session: who pays, in which money, to which account; whole, or not there at all."""

from __future__ import annotations

import asyncio

import pytest
from sqlmodel import SQLModel

from domain.database import Transaction
from domain.ledger import Journal, LedgerPosting, chart
from domain.sessions import CDR, Billing, ChargingSessionStatus, Recorded, TokenName
from domain.wallets import Holds
from tests.domain.crashes import crashing
from tests.domain.sessions.ocpi_objects import STANDARD, component, tariff
from tests.domain.sessions.stage import ACTIVE, COMPLETED, Stage

_Status = ChargingSessionStatus


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

STEPS: list[tuple[type[object], str]] = [
    (Holds, "capture"),
    (Holds, "_step"),
    (Journal, "_post"),
    (Journal, "_row"),
    (Billing, "_cdr"),
    (Billing, "_document"),
    (Billing, "_settle"),
]


@pytest.mark.parametrize(("part", "step"), STEPS, ids=lambda value: getattr(value, "__name__", value))
async def test_a_crash_in_between_leaves_nothing_and_the_retry_completes_it(
    stage: Stage, part: type[object], step: str
) -> None:
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    before, final = await stage.everything(), stage.patch("S1", COMPLETED, 60, 10_000)
    with crashing(part, step):
        await stage.record(final)
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


async def test_nothing_is_published_before_it_is_committed(stage: Stage) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    async with stage.feed.listen(session.id) as mailbox:
        with crashing(Billing, "_document"):
            await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
        await stage.record(stage.patch("S1", None, 30, 5000))
        newest = await asyncio.wait_for(mailbox.take(), 5)
    assert newest is not None
    assert (newest.status, newest.energy_wh) == (_Status.CHARGING, 5000)
