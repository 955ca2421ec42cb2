from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from domain.columns import table_of
from domain.database import Database
from domain.errors import InsufficientFunds
from domain.ids import WalletId
from domain.ledger import Account, LedgerAccount, LedgerEntry, LedgerPosting, LedgerTransfer, chart
from tests.domain.ledger.books import CAUSE, NOON, Books, eur, posting, verdicts

WALLETS = [WalletId(uuid4()) for _ in range(2)]
CLEARING, SUSPENSE = chart.psp_clearing("TestAccount"), chart.SUSPENSE
PLACES = [account for wallet in WALLETS for account in chart.wallet_accounts(wallet)] + [CLEARING, SUSPENSE]
AVAILABLE, HELD = chart.available(WALLETS[0]), chart.held(WALLETS[0])

leg = st.tuples(st.sampled_from(PLACES), st.sampled_from(PLACES), st.integers(1, 500)).filter(lambda x: x[0] != x[1])


@pytest.fixture
def books(database: Database) -> Books:
    return Books(database)


async def count(database: Database, model: type[SQLModel], books: Books) -> int:
    table = table_of(model)
    async with database.read() as reader:
        return int(await reader.scalar(select(func.count()).where(table.c.operator_id == books.operator)))


def within_bounds(account: Account, balance: int) -> bool:
    floor, ceiling = chart.BOUNDS.get(account.code, (None, None))
    return (floor is None or balance >= floor) and (ceiling is None or balance <= ceiling)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.lists(leg, min_size=1, max_size=4)), min_size=1, max_size=8))
async def test_a_dictionary_predicts_every_balance_and_every_refusal(
    database: Database, told: list[tuple[int, list[tuple[Account, Account, int]]]]
) -> None:
    books = Books(database)
    expected = dict.fromkeys(PLACES, 0)
    posted: dict[int, list[tuple[Account, Account, int]]] = {}
    for number, legs in told:
        facts = posted.get(number, legs)
        after = dict(expected)
        for source, target, amount in facts:
            after[source] -= amount
            after[target] += amount
        lawful = all(within_bounds(account, balance) for account, balance in after.items())
        if number in posted:
            assert [written.is_new for written in await books.post(posting(f"fact:{number}", *facts))] == [False]
            continue
        assert await books.try_to_post(posting(f"fact:{number}", *facts)) is lawful
        if lawful:
            posted[number], expected = legs, after
    assert {account: await books.balance(account) for account in PLACES} == expected
    assert await count(database, LedgerPosting, books) == len(posted)
    assert await verdicts(database) == {}


async def test_a_fact_told_twice_is_posted_once(books: Books) -> None:
    fact = posting("payment:1:1", (CLEARING, AVAILABLE, 2000))
    (first,), (again,) = await books.post(fact), await books.post(fact)
    assert (first.is_new, again.is_new, again.id) == (True, False, first.id)
    assert await books.balance(AVAILABLE) == 2000
    assert await count(books.database, LedgerPosting, books) == 1


async def test_of_concurrent_twins_one_is_posted(books: Books) -> None:
    fact = posting("payment:1:1", (CLEARING, AVAILABLE, 2000))
    written = await asyncio.gather(*(books.post(fact) for _ in range(8)))
    assert sorted(one.is_new for (one,) in written) == [False] * 7 + [True]
    assert len({one.id for (one,) in written}) == 1
    assert await books.balance(AVAILABLE) == 2000
    assert await verdicts(books.database) == {}


async def test_one_reference_never_carries_two_contents(books: Books) -> None:
    await books.post(posting("payment:1:1", (CLEARING, AVAILABLE, 2000)))
    with pytest.raises(AssertionError, match="another content"):
        await books.post(posting("payment:1:1", (CLEARING, AVAILABLE, 2001)))
    assert await books.balance(AVAILABLE) == 2000


async def test_a_refused_posting_leaves_nothing_and_its_reference_is_free(books: Books) -> None:
    await books.post(posting("payment:1:1", (CLEARING, AVAILABLE, 500)))
    too_much = posting("hold:1:1", (AVAILABLE, HELD, 501))
    with pytest.raises(InsufficientFunds) as refusal:
        await books.post(too_much)
    assert (refusal.value.available, refusal.value.required) == (eur(500), eur(501))
    assert await count(books.database, LedgerPosting, books) == 1
    assert await count(books.database, LedgerEntry, books) == 2
    assert (await books.balance(AVAILABLE), await books.balance(HELD)) == (500, 0)
    await books.post(posting("payment:1:2", (CLEARING, AVAILABLE, 1)))
    assert [written.is_new for written in await books.post(too_much)] == [True]


async def test_of_several_facts_in_one_transaction_all_or_none_are_posted(books: Books) -> None:
    paid, spent = posting("b", (CLEARING, AVAILABLE, 100)), posting("c", (AVAILABLE, SUSPENSE, 101))
    with pytest.raises(InsufficientFunds):
        await books.post(spent, paid)
    assert await count(books.database, LedgerPosting, books) == 0
    assert await books.balance(AVAILABLE) == 0


async def test_an_account_whose_opening_was_undone_is_opened_again(books: Books) -> None:
    paid = posting("payment:1:1", (CLEARING, AVAILABLE, 100))
    async with books.database.transaction() as tx:
        async with tx.savepoint() as undone:
            await books.journal.post(tx, books.operator, CAUSE, paid)
            await undone.rollback()
        with pytest.raises(InsufficientFunds):
            async with tx.savepoint():
                await books.journal.post(tx, books.operator, CAUSE, posting("hold:1:1", (AVAILABLE, HELD, 1)))
    assert [written.is_new for written in await books.post(paid)] == [True]
    assert await books.balance(AVAILABLE) == 100
    assert await verdicts(books.database) == {}


async def test_money_is_not_spent_twice_at_once(books: Books) -> None:
    await books.post(posting("payment:1:1", (CLEARING, AVAILABLE, 1000)))
    wanted = [posting(f"spend:{number}", (AVAILABLE, SUSPENSE, 300)) for number in range(8)]
    done = await asyncio.gather(*(books.try_to_post(one) for one in wanted))
    assert sum(done) == 3
    assert await books.balance(AVAILABLE) == 100
    assert await verdicts(books.database) == {}


async def test_opposite_transfers_do_not_wait_for_each_other(books: Books) -> None:
    here, there = map(chart.available, WALLETS)
    await books.post(posting("payment:1:1", (CLEARING, here, 1000), (CLEARING, there, 1000)))
    facts = [posting(f"there:{n}", (here, there, 10)) for n in range(8)]
    facts += [posting(f"back:{n}", (there, here, 10)) for n in range(8)]
    for some in (facts[::2], facts[1::2]):
        assert all(await asyncio.gather(*(books.try_to_post(one) for one in some)))
    assert (await books.balance(here), await books.balance(there)) == (1000, 1000)
    assert await verdicts(books.database) == {}


@pytest.mark.parametrize("model", [LedgerPosting, LedgerTransfer, LedgerEntry])
async def test_what_is_posted_can_be_neither_changed_nor_deleted(books: Books, model: type[SQLModel]) -> None:
    await books.post(posting("payment:1:1", (CLEARING, AVAILABLE, 2000)))
    table = table_of(model)
    column = table.c.posted_at if model is LedgerPosting else table.c.amount_minor
    change = update(table).values({column: NOON if model is LedgerPosting else 1})
    for statement in (change, delete(table)):
        with pytest.raises(DBAPIError, match="written once"):
            async with books.database.transaction() as tx:
                await tx.execute(statement)
    assert await count(books.database, model, books) == (2 if model is LedgerEntry else 1)
    assert await verdicts(books.database) == {}


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"balance_minor": 1999}, "balances are the sum of their entries"),
        ({"version": 2}, "balances are the sum of their entries"),
        ({"balance_minor": 2001, "version": 3}, "balances are the sum of their entries"),
    ],
)
async def test_a_balance_that_was_changed_by_hand_is_named(books: Books, change: dict[str, int], title: str) -> None:
    await books.post(posting("payment:1:1", (CLEARING, AVAILABLE, 2000)))
    accounts = table_of(LedgerAccount)
    mine = (accounts.c.operator_id == books.operator) & (accounts.c.code == AVAILABLE.code)
    async with books.database.transaction() as tx:
        await tx.execute(update(accounts).where(mine).values(**change))
    broken = await verdicts(books.database)
    assert f"wallet_available/{WALLETS[0]}" in broken[title]


async def test_bounds_hold_even_when_written_by_hand(books: Books) -> None:
    await books.post(posting("payment:1:1", (CLEARING, AVAILABLE, 2000)))
    accounts = table_of(LedgerAccount)
    with pytest.raises(DBAPIError):
        async with books.database.transaction() as tx:
            await tx.execute(update(accounts).where(accounts.c.code == AVAILABLE.code).values(balance_minor=-1))
    assert await books.balance(AVAILABLE) == 2000
