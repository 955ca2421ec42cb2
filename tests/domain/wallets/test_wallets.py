from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from domain.columns import table_of
from domain.database import Database
from domain.drivers import Driver
from domain.errors import NotFound
from domain.ids import ChargingSessionId, DocumentId, DriverId, OperatorId, PaymentId
from domain.ledger import LedgerAccount
from domain.wallets import CHECKS, Wallet
from tests.domain.ledger.books import CAUSE, eur, verdicts
from tests.domain.wallets.purse import ACCOUNT, Purse, earned


@pytest.fixture
async def purse(database: Database) -> Purse:
    return await Purse(database).opened()


async def test_a_driver_is_enrolled_once_however_often_and_at_once(database: Database) -> None:
    purse = Purse(database)
    drivers = await asyncio.gather(
        *(purse.wallets.enrol(purse.operator, "subject", f"Name {n}", "EUR") for n in range(8))
    )
    assert len({driver.id for driver in drivers}) == 1
    (wallet,) = await purse.wallets.wallets_of(purse.operator, drivers[0].id)
    accounts = table_of(LedgerAccount)
    async with database.read() as reader:
        mine = select(accounts.c.code).where(accounts.c.owner == str(wallet.id))
        assert len(await reader.rows(mine)) == 4
        assert len(await reader.rows(select(table_of(Driver)))) == 1


async def test_a_wallet_of_another_driver_or_operator_does_not_exist(purse: Purse) -> None:
    other = await purse.wallets.enrol(purse.operator, "other", "Another Driver", "EUR")
    for operator, driver in (
        (purse.operator, other.id),
        (OperatorId(uuid4()), purse.driver),
        (purse.operator, DriverId(uuid4())),
    ):
        with pytest.raises(NotFound):
            await purse.wallets.wallet(operator, purse.wallet.id, driver)


async def test_a_wallet_is_there_once_for_each_currency(purse: Purse) -> None:
    async with purse.database.transaction() as tx:
        again = await purse.wallets.open(tx, purse.operator, purse.driver, "EUR")
        dollars = await purse.wallets.open(tx, purse.operator, purse.driver, "USD")
    assert (again.id, dollars.id == again.id) == (purse.wallet.id, False)
    assert (await purse.wallets.balance(dollars)).total.currency == "USD"


async def test_a_payment_is_paid_in_once(purse: Purse) -> None:
    payment = PaymentId(uuid4())
    told = []
    for _ in range(2):
        async with purse.database.transaction() as tx:
            told.append(await purse.wallets.money.pay_in(tx, purse.wallet, payment, 1, eur(2000), ACCOUNT, CAUSE))
    assert told == [True, False]
    assert await purse.money() == (2000, 0, 0, 0)
    assert await purse.lines() == [("top_up", 2000, 2000)]


async def test_lines_of_the_statement_follow_from_each_other(purse: Purse) -> None:
    await purse.pay_in(2000)
    session, note = ChargingSessionId(uuid4()), DocumentId(uuid4())
    await purse.capture(await purse.hold(1000, session), earned(400, 76))
    async with purse.database.transaction() as tx:
        assert await purse.wallets.money.credit(tx, purse.wallet, session, note, earned(100, 19), CAUSE)
    await purse.pay_in(500)
    assert await purse.lines() == [
        ("top_up", 500, 2143),
        ("refund", 119, 1643),
        ("session_charge", -476, 1524),
        ("top_up", 2000, 2000),
    ]
    (second,) = await purse.wallets.entries(purse.wallet, before=3, limit=1)
    assert second.sequence == 2
    assert await purse.is_sound()


async def test_money_paid_in_at_once_leaves_no_gap_in_the_statement(purse: Purse) -> None:
    await asyncio.gather(*(purse.pay_in(100) for _ in range(8)))
    assert [balance for _, _, balance in await purse.lines()] == [100 * n for n in range(8, 0, -1)]
    assert (await purse.wallets.wallet(purse.operator, purse.wallet.id, purse.driver)).entries == 8
    assert await purse.is_sound()


async def test_a_total_that_was_changed_by_hand_is_named(purse: Purse) -> None:
    await purse.pay_in(2000)
    async with purse.database.transaction() as tx:
        await tx.execute(update(table_of(Wallet)).values(total_minor=2001))
    broken = await verdicts(purse.database, CHECKS)
    assert set(broken) == {"statements chain to the wallet's total", "a wallet's total is the sum of its accounts"}
    assert str(purse.wallet.id) in " ".join(broken.values())
