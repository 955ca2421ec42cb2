"""Money set aside for a session that runs: as much as it may cost, never more than there is."""

from __future__ import annotations

import pytest

from domain.errors import WalletInDebt
from domain.ledger import Document
from domain.sessions import CDR, ChargerCommand, ChargingSessionStatus, CommandKind, Recorded, Stop, StopReason
from domain.wallets import HoldStatus
from tests.domain.sessions.ocpi_objects import card
from tests.domain.sessions.stage import ACTIVE, COMPLETED, INVALID, Stage

_Status = ChargingSessionStatus


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
