"""Holds whose time is over: given back where nothing runs, kept where something was told in time."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from domain.errors import StateConflict
from domain.ids import ChargingSessionId
from domain.ledger import LedgerPosting
from domain.sessions import ChargingSessionStatus
from domain.wallets import LASTS, Hold, HoldStatus
from tests.domain.sessions.ocpi_objects import after
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, Stage, euro


async def test_a_hold_for_which_nothing_was_told_expires_once(stage: Stage) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    guarding, at = stage.services.guarding, stage.operator
    stage.clock.advance(LASTS - timedelta(seconds=1))
    assert await guarding.expire_holds(at) == 0
    assert await stage.spendable() == 4000
    stage.clock.advance(timedelta(seconds=1))
    assert [await guarding.expire_holds(at) for _ in range(2)] == [1, 0]
    assert (await stage.held(session)).status is HoldStatus.EXPIRED
    assert await stage.spendable() == 5000
    await stage.audited()


async def test_a_value_told_in_time_keeps_the_hold(stage: Stage) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    stage.clock.advance(LASTS - timedelta(hours=1))
    await stage.record(stage.patch("S1", None, 23 * 60, 1000))
    stage.clock.advance(timedelta(hours=2))
    assert await stage.services.guarding.expire_holds(stage.operator) == 0
    hold = await stage.held(session)
    assert (hold.status, hold.expires_at > stage.clock.now()) == (HoldStatus.OPEN, True)
    await stage.audited()


async def test_a_hold_that_looks_due_beside_a_running_session_is_kept(stage: Stage) -> None:
    """The session's own row says that it was told of lately."""
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    where = {"operator_id": stage.operator, "charging_session_id": session.id}
    async with stage.database.transaction() as tx:
        await tx.change(Hold, where, expires_at=stage.clock.now())
    assert await stage.services.guarding.expire_holds(stage.operator) == 0
    hold = await stage.held(session)
    assert (hold.status, hold.expires_at) == (HoldStatus.OPEN, stage.clock.now() + LASTS)


@pytest.mark.parametrize(("left", "owed"), [(5000, 0), (300, 414)])
async def test_a_bill_that_comes_after_the_expiry_takes_what_is_free_then_a_debt(
    stage: Stage, left: int, owed: int
) -> None:
    session, _ = await stage.record(stage.push("S1", ACTIVE, 0, 0))
    stage.clock.advance(LASTS)
    assert await stage.services.guarding.expire_holds(stage.operator) == 1
    wallet, money = await stage.wallet(), stage.services.wallets.money
    if left < 5000:
        async with stage.database.transaction() as tx:
            assert await money.ask_refund(tx, wallet, uuid4(), 1, euro(5000 - left), CAUSE)  # type: ignore[arg-type]
    done, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000, ended_at=after(60)))
    assert (done.status, done.gross.minor) == (ChargingSessionStatus.COMPLETED, 714)
    found = await stage.money()
    assert (found.available.minor, found.held.minor, found.owed.minor) == (max(0, left - 714), 0, owed)
    assert len(await stage.all(LedgerPosting, reference=f"capture:{session.id}")) == 1
    await stage.audited()


async def test_a_hold_for_a_session_that_never_appears_stands_for_half_an_hour(stage: Stage) -> None:
    holds, wallet = stage.services.wallets.holds, await stage.wallet()
    async with stage.database.transaction() as tx:
        lonely = await holds.open(tx, wallet, None, "authorisation-1", euro(700), CAUSE)
        bound = await holds.open(tx, wallet, None, "authorisation-2", euro(800), CAUSE)
        session = ChargingSessionId(uuid4())
        bound = await holds.bind(tx, bound, session)
        with pytest.raises(StateConflict):
            await holds.bind(tx, bound, ChargingSessionId(uuid4()))
    stage.clock.advance(timedelta(minutes=30))
    assert await stage.services.guarding.expire_holds(stage.operator) == 1
    assert (await stage.one(Hold, id=lonely.id)).status is HoldStatus.EXPIRED
    assert (await stage.one(Hold, id=bound.id)).status is HoldStatus.OPEN
    assert (await stage.money()).held.minor == 800
    await stage.audited()
