"""What is promised to whoever wishes: one effect for each key, whoever asks, how often, and what dies meanwhile.

Checks as in tests/domain/wallets/crowds.py: each takes an empty store of either engine and raises when it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import TypeVar

import pytest

from domain.database import Database
from domain.disputes import DisputeService
from domain.errors import IdempotencyConflict, InsufficientFunds
from domain.ledger import Document, LedgerPosting, chart
from domain.payments import AttemptState, TopUp, TopUpStatus, Unknown
from domain.sessions import ChargingSession
from domain.wallets import Hold
from tests.domain.crashes import Crash, crashing
from tests.domain.disputes.case import disputed, uphold
from tests.domain.ledger.books import CAUSE, eur
from tests.domain.payments.till import Fact, Till
from tests.domain.sessions.stage import built
from tests.domain.wallets.purse import Purse

CROWD = 50
T = TypeVar("T")


async def crowd(wish: Callable[[], Awaitable[T]]) -> list[T]:
    """Fifty tell the same wish under the same key at once."""
    return await asyncio.gather(*(wish() for _ in range(CROWD)))


async def a_top_up_is_wished_once(database: Database) -> None:
    till = await Till(database).opened()
    wishes = await crowd(till.top_up)
    assert len({wish.id for wish in wishes}) == 1
    assert len(till.gateway.calls) == len(await till.rows(TopUp)) == 1
    with pytest.raises(IdempotencyConflict, match="another amount"):
        await till.top_up(2500)
    assert await till.status() is TopUpStatus.ACTION_REQUIRED


async def a_session_is_started_once(database: Database) -> None:
    stage = await built(database)
    quote, other = await stage.quote(), await stage.quote(connector=1)
    sessions = await crowd(lambda: stage.start(quote=quote))
    assert len({session.id for session in sessions}) == 1
    assert len(stage.line.sent) == len(await stage.all(ChargingSession)) == len(await stage.all(Hold)) == 1
    assert (await stage.money()).held.minor == 1000
    with pytest.raises(IdempotencyConflict, match="another quote"):
        await stage.start(quote=other)
    await stage.audited()


async def a_dispute_is_upheld_once(database: Database) -> None:
    stage = await built(database)
    dispute = await disputed(stage)
    before = await stage.spendable()
    decided = await crowd(lambda: uphold(stage, dispute, 300))
    assert all(one == decided[0] for one in decided)
    assert await stage.spendable() == before + 300
    assert len(await stage.all(Document)) == 2
    assert len(await stage.all(LedgerPosting, kind="credit")) == 1
    with pytest.raises(IdempotencyConflict, match="another refund"):
        await uphold(stage, dispute, 301)
    await stage.audited()


async def credit_is_granted_once(database: Database) -> None:
    purse = await Purse(database).opened()
    grant, days = purse.wallets.promos.grant, timedelta(days=30)
    given = await crowd(lambda: grant(purse.wallet, eur(500), days, "Welcome", "key", CAUSE))
    assert all(one == given[0] for one in given)
    assert await purse.money() == (0, 0, 500, 0)
    purse.clock.advance(timedelta(seconds=5))
    assert await grant(purse.wallet, eur(500), days, "Welcome", "key", CAUSE) == given[0]
    others = ((501, 30, "Welcome", "amount"), (500, 31, "Welcome", "time"), (500, 30, "", "reason"))
    for amount, lasts, why, differs in others:
        with pytest.raises(IdempotencyConflict, match=f"another {differs}"):
            await grant(purse.wallet, eur(amount), timedelta(days=lasts), why, "key", CAUSE)
    assert await purse.money() == (0, 0, 500, 0)
    assert await purse.is_sound()


async def a_refusal_stays_a_refusal(database: Database) -> None:
    """Who had too little money and has enough now needs a new key."""
    stage = await built(database)
    poor = await stage.rich_driver("poor", 300)
    quote = await stage.quote(poor)
    with pytest.raises(InsufficientFunds) as refused:
        await stage.start("k1", quote=quote)
    await stage.fund(poor, 5000)
    for error in await asyncio.gather(*(stage.start("k1", quote=quote) for _ in range(3)), return_exceptions=True):
        assert isinstance(error, InsufficientFunds)
        assert str(error) == str(refused.value)
    assert await stage.all(ChargingSession) == []
    assert (await stage.start("k2", quote=quote)).quote_id == quote.id
    await stage.audited()


async def a_wish_is_noted_before_anybody_is_asked(database: Database) -> None:
    """The process dies while the provider answers: the wish is there, and asked about again under the same key."""
    till = await Till(database).opened()
    till.gateway.is_deadly = True
    with pytest.raises(Crash):
        await till.top_up()
    till.gateway.is_deadly = False
    assert len(await till.rows(TopUp)) == len(till.gateway.calls) == 1
    assert (await till.status(), (await till.attempt()).state) == (TopUpStatus.INITIATED, AttemptState.SENT)
    await till.push_on(after=timedelta(minutes=2))
    assert (len(till.gateway.calls), len(till.gateway.keys)) == (2, 1)
    assert await till.status() is TopUpStatus.ACTION_REQUIRED


async def an_unknown_answer_is_asked_for_under_the_same_key(database: Database) -> None:
    till = await Till(database).opened()
    till.gateway.script = [Unknown("timeout")]
    await till.top_up()
    await till.push_on()
    assert (len(till.gateway.calls), len(till.gateway.keys)) == (2, 1)


async def a_hanging_provider_stalls_nobody_else(database: Database) -> None:
    till = await Till(database).opened()
    till.gateway.going_on = asyncio.Event()
    waiting = asyncio.ensure_future(till.top_up())
    await till.gateway.called.wait()
    try:
        async with asyncio.timeout(2):
            await till.pay_in(100)
        assert await idle_in_transaction(database) == 0
    finally:
        till.gateway.going_on.set()
        await asyncio.gather(waiting, return_exceptions=True)
    assert await till.money() == (100, 0, 0, 0)


async def idle_in_transaction(database: Database) -> int:
    """Connections that do nothing and hold a transaction; SQLite has one writer, and it just wrote."""
    if database.is_sqlite:
        return 0
    async with database.read() as reader:
        return int(
            await reader.driver.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
            )
        )


async def facts_told_again_credit_once(database: Database) -> None:
    till = await Till(database).opened()
    await till.top_up()
    for success_at in ("2026-06-01T12:00:00+02:00", "2026-06-01T12:00:01+02:00", "2026-06-01T12:00:02+02:00"):
        await till.tell(Fact(date=success_at))
    assert await till.money() == (2000, 0, 0, 0)
    assert await till.balance(chart.psp_clearing("TestAccount")) == -2000


async def a_credit_note_has_the_next_number_whatever_dies(database: Database) -> None:
    """The agent's process dies after the number was taken: nothing has happened, and the number is free again."""
    stage = await built(database)
    dispute = await disputed(stage)
    before = await stage.everything()
    with crashing(DisputeService, "_step"):
        await uphold(stage, dispute, 300)
    assert await stage.everything() == before
    decided = await uphold(stage, dispute, 300)
    (note,) = await stage.all(Document, id=decided.credit_note_id)
    assert note.number == 1
    await stage.audited()


async def a_credit_gives_tax_back(database: Database) -> None:
    stage = await built(database)
    dispute = await disputed(stage)
    before = await stage.spendable()
    decided = await uphold(stage, dispute, dispute.disputed)
    (note,) = await stage.all(Document, id=decided.credit_note_id)
    assert (await stage.spendable()) - before == dispute.disputed_minor == -(note.net_minor + note.tax_minor)
    assert note.tax_minor < 0
    await stage.audited()


WISHES: tuple[Callable[[Database], Coroutine[None, None, None]], ...] = (
    a_top_up_is_wished_once,
    a_session_is_started_once,
    a_dispute_is_upheld_once,
    credit_is_granted_once,
    a_refusal_stays_a_refusal,
    a_wish_is_noted_before_anybody_is_asked,
    an_unknown_answer_is_asked_for_under_the_same_key,
    a_hanging_provider_stalls_nobody_else,
    facts_told_again_credit_once,
    a_credit_note_has_the_next_number_whatever_dies,
    a_credit_gives_tax_back,
)
