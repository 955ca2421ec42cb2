"""How a real wallet and its model are told the same, and compared; the story itself is in machine.py."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, multiple, precondition, rule

from domain.auditing import audit
from domain.database import Database, Transaction
from domain.ledger import Scope
from domain.wallets import Hold, Wallet
from tests.domain.wallets.model import Held, Model, shown, usd
from tests.domain.wallets.purse import Purse

Verb = Callable[[Transaction, Wallet], Awaitable[object]]


@dataclass(frozen=True)
class Fact:
    """Something that can be told again."""

    verb: Verb
    predicted: Callable[[], str]


@dataclass(frozen=True)
class Seen:
    """A hold as somebody saw it, perhaps long ago; `number` counts holds."""

    number: int
    real: Hold
    model: Held


class Told(RuleBasedStateMachine):
    """One wallet in euros, and one in dollars for exchanges; its operator is its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, database: Database) -> None:
        super().__init__()
        self.loop, self.model = loop, Model()
        self.purse = loop.run_until_complete(Purse(database).opened())
        self.dollars = loop.run_until_complete(self._dollars())
        self.history: list[tuple[datetime, tuple[int, int, int, int]]] = []

    # --- looking ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.history)
    @rule(step=st.integers(0, 10_000))
    def look_back(self, step: int) -> None:
        at, expected = self.history[step % len(self.history)]
        then = self.loop.run_until_complete(self.purse.wallets.balance_at(self.purse.wallet, at))
        assert (then.available.minor, then.held.minor, then.promo.minor, then.owed.minor) == expected

    @invariant()
    def balances_are_as_predicted(self) -> None:
        assert self.loop.run_until_complete(self.purse.money()) == self.model.money()

    def teardown(self) -> None:
        dollars = self.loop.run_until_complete(self.purse.wallets.balance(self.dollars))
        assert dollars.total == dollars.available == usd(self.model.foreign)
        assert self.loop.run_until_complete(self._contradictions()) == []

    # --- how --------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self.purse.clock.now()

    @property
    def money(self) -> Any:  # noqa: ANN401  the verbs differ in what they take
        return self.purse.wallets.money

    def tell(self, verb: Verb, predicted: Callable[[], str], callers: int, *, alone: bool = False) -> list[object]:
        """The same to both; what the product said. `alone`: the verb opens its own transaction."""
        self.purse.clock.advance(timedelta(seconds=1))
        expected = Counter(predicted() for _ in range(callers))
        replies = self.loop.run_until_complete(self._at_once(verb, callers, alone=alone))
        assert Counter(map(shown, replies)) == expected
        self.history.append((self.now, self.model.money()))
        return replies

    def fact(self, verb: Verb, predicted: Callable[[], str], callers: int) -> Fact:
        self.tell(verb, predicted, callers)
        return Fact(verb, predicted)

    def step(self, seen: Seen, verb: Verb, predicted: Callable[[], str], callers: int) -> Any:  # noqa: ANN401
        replies = self.tell(verb, predicted, callers)
        now = self.model.holds[seen.number]
        return multiple(
            *(Seen(seen.number, one, now) for one in replies[:1] if isinstance(one, Hold) and shown(one) == str(now))
        )

    async def _at_once(self, verb: Verb, callers: int, *, alone: bool) -> list[object]:
        async def one() -> object:
            if alone:
                return await verb(None, self.purse.wallet)  # type: ignore[arg-type]
            async with self.purse.database.transaction() as tx:
                wallet = await self.purse.wallets.owned(
                    tx, self.purse.operator, self.purse.wallet.id, self.purse.driver
                )
                return await verb(tx, wallet)

        return list(await asyncio.gather(*(one() for _ in range(callers)), return_exceptions=True))

    async def _dollars(self) -> Wallet:
        async with self.purse.database.transaction() as tx:
            return await self.purse.wallets.open(tx, self.purse.operator, self.purse.driver, "USD")

    async def _contradictions(self) -> list[str]:
        async with self.purse.database.snapshot() as reader:
            verdicts = await audit(reader, Scope(wallet=self.purse.wallet.id))
        return [str(verdict.broken) for verdict in verdicts if verdict.broken]
