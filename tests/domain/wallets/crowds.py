"""What happens when many want the same at once. Each check takes an empty store of either engine, and raises.

They are functions and not tests so that the breaks in tests/mutations can ask whether a check notices them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from uuid import uuid4

from sqlalchemy import func, select

from domain.columns import table_of
from domain.database import Database, Transaction
from domain.errors import InsufficientFunds
from domain.ids import ChargingSessionId, PaymentId, WalletId
from domain.ledger import LedgerEntry, LedgerPosting, chart
from domain.money import Money
from domain.wallets import Hold, HoldStatus
from tests.domain import busy
from tests.domain.ledger.books import CAUSE, NOON, Books, eur, posting
from tests.domain.wallets.bank import Bank
from tests.domain.wallets.purse import ACCOUNT, Purse, earned
from tests.processes import until

CROWD = 50
Verb = Callable[[Transaction], Awaitable[Any]]


async def at_once(purse: Purse, *verbs: Verb) -> list[Any]:
    """Each in a transaction of its own, all at the same time; replies and refusals in their order."""

    async def one(verb: Verb) -> object:
        async with purse.database.transaction() as tx:
            return await verb(tx)

    return await asyncio.gather(*map(one, verbs), return_exceptions=True)


async def all_of_it_is_spent_once(database: Database) -> None:
    """Eight want all the money: one has it, the others are told what there is, and nothing else has happened."""
    purse = await Purse(database).opened()
    await purse.pay_in(1000)
    money, wallet = purse.wallets.money, purse.wallet
    told = await at_once(
        purse, *(lambda tx: money.ask_refund(tx, wallet, PaymentId(uuid4()), 1, eur(1000), CAUSE) for _ in range(8))
    )
    assert Counter(map(repr, map(type, told))) == {repr(bool): 1, repr(InsufficientFunds): 7}
    assert [(no.available, no.required) for no in told if no is not True] == [(eur(0), eur(1000))] * 7
    assert await purse.money() == (0, 0, 0, 0)
    assert await purse.lines() == [("withdrawal", -1000, 0), ("top_up", 1000, 1000)]
    assert await purse.is_sound()


async def a_fact_is_posted_once(database: Database) -> None:
    """Fifty tell the same fact, with no lock that would make them queue: one row, fifty answers that name it."""
    books = Books(database)
    available, clearing = chart.available(WalletId(uuid4())), chart.psp_clearing(ACCOUNT)
    await books.post(posting("payment:1:1", (clearing, available, 1)))
    facts = [posting("payment:2:1", (clearing, chart.SUSPENSE, 5)), posting("payment:3:1", (clearing, available, 7))]
    for fact in facts:
        written = await asyncio.gather(*(books.post(fact) for _ in range(CROWD)))
        assert len({one.id for (one,) in written}) == 1
        assert sum(one.is_new for (one,) in written) == 1
    assert (await books.balance(chart.SUSPENSE), await books.balance(available)) == (5, 8)
    table = table_of(LedgerPosting)
    async with database.read() as reader:
        assert await reader.scalar(select(func.count()).where(table.c.operator_id == books.operator)) == 3


async def a_payment_is_credited_once(database: Database) -> None:
    """Fifty tell of the same top-up of a driver in debt; how it is split depends on what is owed when it is told."""
    purse = await Purse(database).opened()
    async with database.transaction() as tx:
        session = ChargingSessionId(uuid4())
        await purse.wallets.money.charge(tx, purse.wallet, session, earned(300), CAUSE, NOON)
    it = PaymentId(uuid4())
    money, wallet = purse.wallets.money, purse.wallet
    told = await at_once(
        purse, *(lambda tx: money.pay_in(tx, wallet, it, 1, eur(1000), ACCOUNT, CAUSE) for _ in range(CROWD))
    )
    assert Counter(told) == {False: CROWD - 1, True: 1}
    assert await purse.money() == (700, 0, 0, 0)
    assert await purse.is_sound()


async def bills_at_once_share_what_there_is(database: Database) -> None:
    """Eight bills without a hold: the first ones take what is free, the rest is owed, none is refused."""
    purse = await Purse(database).opened()
    await purse.pay_in(250)
    money, wallet = purse.wallets.money, purse.wallet
    told = await at_once(
        purse,
        *(lambda tx: money.charge(tx, wallet, ChargingSessionId(uuid4()), earned(100), CAUSE, NOON) for _ in range(8)),
    )
    assert told == [True] * 8
    assert await purse.money() == (0, 0, 0, 550)
    assert await purse.is_sound()


async def spending_at_once_is_counted_right(database: Database) -> None:
    """Facts about one account that nobody has locked beforehand."""
    books = Books(database)
    available = chart.available(WalletId(uuid4()))
    await books.post(posting("payment:1:1", (chart.psp_clearing(ACCOUNT), available, 1000)))
    wanted = [posting(f"spend:{number}", (available, chart.SUSPENSE, 30)) for number in range(40)]
    assert sum(await asyncio.gather(*map(books.try_to_post, wanted))) == 33
    assert await books.balance(available) == 10
    assert await books.balance(chart.SUSPENSE) == 990


async def money_that_comes_meanwhile_can_be_spent(database: Database) -> None:
    """A posting that waits for its account is judged, and written, by what lies there when its turn comes."""
    books = Books(database)
    available, clearing = chart.available(WalletId(uuid4())), chart.psp_clearing(ACCOUNT)
    await books.post(posting("payment:1:1", (clearing, available, 100)))
    async with database.transaction() as tx:
        await books.journal.post(tx, books.operator, CAUSE, posting("payment:1:2", (clearing, available, 200)))
        spending = asyncio.create_task(books.try_to_post(posting("spend:1", (available, chart.SUSPENSE, 300))))
        await somebody_waits(database)
        assert not spending.done()
    assert await spending
    assert (await books.balance(available), await books.balance(chart.SUSPENSE)) == (0, 300)


async def somebody_waits(database: Database) -> None:
    """Until somebody waits for a lock; SQLite's second writer waits for the connection, which nobody can see."""
    if database.is_sqlite:
        await asyncio.sleep(0.05)
        return
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with database.read() as reader:
        await until(lambda: reader.driver.fetchval(waiting))


async def opposite_exchanges_wait_in_no_circle(database: Database) -> None:
    """From euros to dollars and from dollars to euros at once: each transaction locks both wallets."""
    bank = await Bank(database).founded(drivers=1, cents=100_000)
    both = bank.pairs[0]

    async def there_and_back(number: int) -> None:
        source, target = both[:: 1 if number % 2 else -1]
        for _ in range(8):
            sold, bought = (Money(10, wallet.currency) for wallet in (source, target))
            it = uuid4()
            await bank.whole(
                lambda tx: bank.wallets.money.exchange(tx, source, sold, target, bought, it, CAUSE)  # noqa: B023
            )

    with busy.counted() as reasons:
        await asyncio.gather(*map(there_and_back, range(8)))
    assert reasons["deadlock"] == 0
    assert await bank.wrong_sums() == await bank.contradictions() == []


async def one_closing_wins(database: Database) -> None:
    """Capture against expiry, raise against capture, two releases: one of each pair, and the other is told so."""
    purse = await Purse(database).opened()
    await purse.pay_in(5000)
    holds = purse.wallets.holds

    def capture(hold: Hold) -> Verb:
        return lambda tx: holds.capture(tx, hold, earned(300), CAUSE, NOON)

    pairs: list[tuple[Callable[[Hold], Verb], Callable[[Hold], Verb]]] = [
        (capture, lambda hold: lambda tx: holds.expire(tx, hold, CAUSE)),
        (lambda hold: lambda tx: holds.raise_to(tx, hold, eur(1500), CAUSE), capture),
        (
            lambda hold: lambda tx: holds.release(tx, hold, CAUSE),
            lambda hold: lambda tx: holds.release(tx, hold, CAUSE),
        ),
        (capture, capture),
    ]
    for first, second in pairs:
        hold = await purse.hold(1000)
        told = await at_once(purse, first(hold), second(hold))
        assert sorted(type(one).__name__ for one in told) == ["Hold", "StateConflict"]
        (now,) = [one for one in told if isinstance(one, Hold)]
        if now.status is HoldStatus.OPEN:
            await purse.release(now)
    available, held, promo, owed = await purse.money()
    assert (held, promo, owed) == (0, 0, 0)
    assert available in {5000 - 300 * captures for captures in (1, 2, 3)}
    assert await purse.is_sound()


async def no_reader_sees_half_a_bill(database: Database) -> None:
    """What is charged and what is given back are one posting: what is held changes once."""
    purse = await Purse(database).opened()
    await purse.pay_in(5000)
    await purse.capture(await purse.hold(2000), earned(1190))
    moves, postings = table_of(LedgerEntry), table_of(LedgerPosting)
    async with database.read() as reader:
        statement = select(postings.c.kind, func.count().label("moves")).join(
            moves, moves.c.posting_id == postings.c.id
        )
        rows = await reader.rows(
            statement.where(postings.c.operator_id == purse.operator)
            .group_by(postings.c.id, postings.c.kind)
            .order_by(postings.c.id)
        )
    assert Counter(row["kind"] for row in rows) == {"top_up": 1, "hold": 1, "session_charge": 1}
    assert await purse.money() == (3810, 0, 0, 0)


async def writers_of_two_processes_take_turns(database: Database) -> None:
    """Two connections that both read first and then write: the second one waits, and none is told to try again."""
    other = Database(database.url)
    purse = await Purse(database).opened()

    async def pay(store: Database) -> None:
        for _ in range(15):
            async with store.transaction() as tx:
                await purse.wallets.owned(tx, purse.operator, purse.wallet.id, purse.driver)
                await asyncio.sleep(0)
                await purse.wallets.money.pay_in(tx, purse.wallet, PaymentId(uuid4()), 1, eur(10), ACCOUNT, CAUSE)

    try:
        with busy.counted() as reasons:
            await asyncio.gather(pay(database), pay(other))
    finally:
        await other.close()
    assert not reasons
    assert await purse.money() == (300, 0, 0, 0)
    assert await purse.is_sound()


CROWDS: tuple[Callable[[Database], Coroutine[None, None, None]], ...] = (
    all_of_it_is_spent_once,
    a_fact_is_posted_once,
    a_payment_is_credited_once,
    bills_at_once_share_what_there_is,
    spending_at_once_is_counted_right,
    money_that_comes_meanwhile_can_be_spent,
    opposite_exchanges_wait_in_no_circle,
    one_closing_wins,
    no_reader_sees_half_a_bill,
    writers_of_two_processes_take_turns,
)
