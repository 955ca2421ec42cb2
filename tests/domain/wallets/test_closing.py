"""A wallet that is closed: empty before, untouched afterwards, and in nobody's way meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.database import Database
from domain.errors import NotFound, StateConflict, WalletClosed
from domain.ids import PaymentId, WalletId
from domain.ledger import chart
from tests.domain import busy
from tests.domain.ledger.books import CAUSE, eur
from tests.domain.rows import everything
from tests.domain.wallets.purse import ACCOUNT, Purse, earned


@pytest.fixture
async def purse(database: Database) -> Purse:
    return await Purse(database).opened()


async def test_an_empty_wallet_is_closed_once_and_nothing_new_begins_in_it(purse: Purse) -> None:
    closed = await purse.wallets.close(purse.operator, purse.wallet.id)
    assert closed.closed_at is not None
    assert await purse.wallets.close(purse.operator, purse.wallet.id) == closed
    purse.wallet = closed
    before = await everything(purse.database)
    with pytest.raises(WalletClosed):
        await purse.hold(100)
    with pytest.raises(WalletClosed):
        await purse.wallets.promos.grant(closed, eur(5), timedelta(days=1), "Welcome", "k", CAUSE)
    async with purse.database.transaction() as tx:
        with pytest.raises(WalletClosed):
            await purse.wallets.money.ask_refund(tx, closed, PaymentId(uuid4()), 1, eur(5), CAUSE)
    assert await everything(purse.database) == before


@pytest.mark.parametrize("left", ["available", "held", "promo", "owed"])
async def test_a_wallet_with_anything_in_it_stays_open(purse: Purse, left: str) -> None:
    if left == "promo":
        await purse.grant(100)
    else:
        await purse.pay_in(100)
    if left in ("held", "owed"):
        hold = await purse.hold(100)
        if left == "owed":
            await purse.capture(hold, earned(101))
    with pytest.raises(StateConflict):
        await purse.wallets.close(purse.operator, purse.wallet.id)
    assert (await purse.wallets.wallet(purse.operator, purse.wallet.id, purse.driver)).closed_at is None


@pytest.mark.parametrize("verb", ["close", "freeze", "unfreeze"])
async def test_a_wallet_that_is_not_there_can_be_neither_closed_nor_frozen(purse: Purse, verb: str) -> None:
    verbs: dict[str, Callable[[WalletId], Awaitable[object]]] = {
        "close": lambda wallet: purse.wallets.close(purse.operator, wallet),
        "freeze": lambda wallet: purse.wallets.freeze(purse.operator, wallet, "audit"),
        "unfreeze": lambda wallet: purse.wallets.unfreeze(purse.operator, wallet),
    }
    with pytest.raises(NotFound):
        await verbs[verb](WalletId(uuid4()))


@pytest.mark.parametrize("verb", ["close", "freeze"])
async def test_money_that_comes_meanwhile_waits_for_nobody(postgres_url: str, verb: str) -> None:
    database = Database(postgres_url)
    purse = await Purse(database).opened()
    with busy.counted() as reasons:
        async with database.transaction() as tx:
            await purse.journal.lock(tx, purse.operator, chart.wallet_accounts(purse.wallet.id), "EUR")
            at = (purse.operator, purse.wallet.id)
            other = purse.wallets.close(*at) if verb == "close" else purse.wallets.freeze(*at, "audit")
            marking = asyncio.ensure_future(other)
            await asyncio.sleep(0.2)
            payment = PaymentId(uuid4())
            await purse.wallets.money.pay_in(tx, purse.wallet, payment, 1, eur(100), ACCOUNT, CAUSE)
        (end,) = await asyncio.gather(marking, return_exceptions=True)
    assert reasons["deadlock"] == 0
    assert isinstance(end, StateConflict) is (verb == "close")
    assert await purse.money() == (100, 0, 0, 0)
    await database.close()
