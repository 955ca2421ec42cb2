from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from domain.columns import table_of
from domain.database import Database
from domain.errors import InsufficientFunds, StateConflict, WalletFrozen, WalletInDebt
from domain.ids import ChargingSessionId
from domain.ledger import chart
from domain.wallets import CHECKS, Hold, HoldStatus, Wallet
from tests.domain.ledger.books import CAUSE, NOON, eur, verdicts
from tests.domain.wallets.purse import Purse, earned


@pytest.fixture
async def purse(database: Database) -> Purse:
    return await Purse(database).opened()


async def test_a_hold_sets_money_aside_and_a_release_gives_it_back(purse: Purse) -> None:
    await purse.pay_in(5000)
    hold = await purse.hold(2000)
    assert await purse.money() == (3000, 2000, 0, 0)
    released = await purse.release(hold)
    assert (released.status, released.remaining) == (HoldStatus.RELEASED, eur(0))
    assert await purse.money() == (5000, 0, 0, 0)
    assert await purse.lines() == [("top_up", 5000, 5000)]
    assert await purse.is_sound()


async def test_granted_credit_is_held_first_spent_first_and_returned_last(purse: Purse) -> None:
    await purse.pay_in(5000)
    await purse.grant(700)
    hold = await purse.hold(2000)
    assert await purse.money() == (3700, 2000, 0, 0)
    await purse.capture(hold, earned(500))
    assert await purse.money() == (5000, 0, 200, 0)
    assert await purse.is_sound()


async def test_a_bill_within_the_hold_frees_the_rest_in_the_same_posting(purse: Purse) -> None:
    await purse.pay_in(5000)
    closed = await purse.capture(await purse.hold(2000), earned(1000, 190))
    assert (closed.status, closed.captured_minor, closed.released_minor) == (HoldStatus.CAPTURED, 1190, 810)
    assert await purse.money() == (3810, 0, 0, 0)
    assert await purse.balance(chart.charging_revenue(purse.operator)) == 1000
    assert await purse.lines() == [("session_charge", -1190, 3810), ("top_up", 5000, 5000)]
    assert await purse.is_sound()


async def test_a_bill_beyond_everything_is_a_debt_that_the_next_top_up_settles(purse: Purse) -> None:
    await purse.pay_in(1000)
    await purse.grant(100)
    await purse.capture(await purse.hold(600), earned(1500))
    assert await purse.money() == (0, 0, 0, 400)
    with pytest.raises(WalletInDebt) as refused:
        await purse.hold(1)
    assert refused.value.debt == eur(400)
    await purse.pay_in(1000)
    assert await purse.money() == (600, 0, 0, 0)
    assert await purse.is_sound()


async def test_a_session_that_cost_nothing_gives_everything_back(purse: Purse) -> None:
    await purse.pay_in(1000)
    await purse.capture(await purse.hold(600), earned(0))
    assert await purse.money() == (1000, 0, 0, 0)
    assert await purse.is_sound()


async def test_a_raise_told_twice_raises_once(purse: Purse) -> None:
    await purse.pay_in(5000)
    hold = await purse.hold(1000)
    raised = await purse.raise_to(hold, 1500)
    assert await purse.raise_to(raised, 1500) == raised
    with pytest.raises(StateConflict):
        await purse.raise_to(hold, 1600)
    assert await purse.money() == (3500, 1500, 0, 0)
    assert await purse.is_sound()


async def test_what_is_left_can_be_held_and_no_more(purse: Purse) -> None:
    await purse.pay_in(1000)
    hold = await purse.hold(400)
    with pytest.raises(InsufficientFunds) as refused:
        await purse.raise_to(hold, 1001)
    assert (refused.value.available, refused.value.required) == (eur(600), eur(601))
    assert await purse.money() == (600, 400, 0, 0)
    async with purse.database.transaction() as tx:
        hold = await purse.wallets.holds.raise_by_what_is_left(tx, hold, CAUSE)
    assert hold.amount == eur(1000)
    assert await purse.money() == (0, 1000, 0, 0)
    assert await purse.is_sound()


async def test_a_hold_without_the_money_moves_nothing(purse: Purse) -> None:
    await purse.pay_in(500)
    before = await purse.lines()
    with pytest.raises(InsufficientFunds):
        await purse.hold(501)
    assert (await purse.money(), await purse.lines()) == ((500, 0, 0, 0), before)
    assert await purse.wallets.open_holds(purse.wallet) == []
    assert await purse.is_sound()


async def test_a_frozen_wallet_holds_nothing(purse: Purse) -> None:
    await purse.pay_in(500)
    async with purse.database.transaction() as tx:
        await tx.execute(update(table_of(Wallet)).values(frozen_at=NOON))
    with pytest.raises(WalletFrozen):
        await purse.hold(100)
    assert await purse.money() == (500, 0, 0, 0)


async def test_a_session_has_one_open_hold(purse: Purse) -> None:
    await purse.pay_in(1000)
    session = ChargingSessionId(uuid4())
    first = await purse.hold(100, session)
    with pytest.raises(IntegrityError):
        await purse.hold(100, session)
    await purse.release(first)
    await purse.hold(100, session)
    assert await purse.money() == (900, 100, 0, 0)


async def test_a_session_that_began_without_asking_holds_what_there_is(purse: Purse) -> None:
    for paid, expected in ((0, (0, 0, 0, 0)), (300, (0, 300, 0, 0))):
        if paid:
            await purse.pay_in(paid)
        async with purse.database.transaction() as tx:
            session = ChargingSessionId(uuid4())
            await purse.wallets.holds.open_up_to(tx, purse.wallet, session, str(uuid4()), eur(1000), CAUSE)
        assert await purse.money() == expected
    assert await purse.is_sound()


async def test_of_all_closings_at_once_exactly_one_wins(purse: Purse) -> None:
    await purse.pay_in(5000)
    hold = await purse.hold(2000)
    closings = [purse.capture(hold, earned(300)), purse.release(hold), purse.capture(hold, earned(300))]
    closings += [purse.release(hold), purse.raise_to(hold, 2500)]
    refused = [isinstance(one, StateConflict) for one in await asyncio.gather(*closings, return_exceptions=True)]
    assert sorted(refused) == [False, True, True, True, True]
    available, held, _, _ = await purse.money()
    assert (available, held) in {(4700, 0), (5000, 0), (2500, 2500)}
    assert await purse.is_sound()


async def test_holds_at_once_never_hold_more_than_there_is(purse: Purse) -> None:
    await purse.pay_in(1000)
    found = await asyncio.gather(*(purse.hold(300) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, InsufficientFunds) for one in found) == 5
    assert await purse.money() == (100, 900, 0, 0)
    assert await purse.is_sound()


def left(hold: Hold) -> Hold | None:
    return hold if hold.status is HoldStatus.OPEN else None


step = st.tuples(st.sampled_from(["pay", "grant", "hold", "raise", "capture", "release"]), st.integers(1, 900))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(step, max_size=12))
async def test_whatever_happens_every_audit_stays_green(database: Database, steps: list[tuple[str, int]]) -> None:
    purse = await Purse(database).opened()
    hold: Hold | None = None
    for verb, amount in steps:
        before = sum((await purse.money())[:3])
        try:
            if verb == "pay":
                await purse.pay_in(amount)
            elif verb == "grant":
                await purse.grant(amount)
            elif verb == "hold" and hold is None:
                hold = await purse.hold(amount)
            elif verb == "raise" and hold:
                hold = await purse.raise_to(hold, amount)
            elif verb == "capture" and hold:
                hold = left(await purse.capture(hold, earned(amount)))
            elif verb == "release" and hold:
                hold = left(await purse.release(hold))
        except (InsufficientFunds, WalletInDebt):
            assert sum((await purse.money())[:3]) == before
    assert await verdicts(database, CHECKS) == await verdicts(database) == {}
