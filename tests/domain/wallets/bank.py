"""A bank of a few drivers with two wallets each, tellers that do anything to them at once, and somebody who adds up.

    python -m tests.domain.wallets.bank URL OPERATOR SEED STEPS    a teller in a process of its own

It prints how often the store was busy, by reason.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select, text

from domain.auditing import audit
from domain.clock import SystemClock
from domain.columns import table_of
from domain.database import Database, Transaction, retried
from domain.drivers import DriverService
from domain.errors import InsufficientFunds, StateConflict, WalletInDebt
from domain.ids import ChargingSessionId, Ids, OperatorId, PaymentId
from domain.ledger import Cause, Journal
from domain.money import Money
from domain.wallets import Hold, Wallet, WalletService
from tests.domain import busy
from tests.domain.wallets.purse import ACCOUNT, earned

CAUSE = Cause(actor="teller", request_id="bank")
REFUSED = (InsufficientFunds, StateConflict, WalletInDebt)
WRONG = {
    "all money": """
        SELECT currency, sum(minor) AS found FROM (
            SELECT currency, balance_minor AS minor FROM ledger_account WHERE keeps_balance
            UNION ALL
            SELECT a.currency, e.amount_minor FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
            WHERE NOT a.keeps_balance) AS everything
        GROUP BY currency HAVING sum(minor) <> 0""",
    "held money": """
        SELECT a.owner FROM ledger_account a JOIN wallet w
            ON lower(replace(CAST(w.id AS text), '-', '')) = replace(a.owner, '-', '')
        WHERE a.code = 'wallet_held' AND a.balance_minor <> (
            SELECT coalesce(sum(raised_minor - captured_minor - released_minor), 0) FROM hold
            WHERE wallet_id = w.id AND status = 'open')""",
    "bounds": """
        SELECT owner FROM ledger_account
        WHERE code = 'wallet_receivable' AND balance_minor > 0 OR code <> 'wallet_receivable' AND balance_minor < 0""",
}
"""Each one statement, so one instant; a row of it is a wrong sum."""


class Bank:
    """All wallets of one operator."""

    def __init__(self, database: Database, operator: UUID | None = None) -> None:
        self.database = database
        self.operator = OperatorId(operator or uuid4())
        clock = SystemClock()
        ids = Ids(clock)
        self.wallets = WalletService(database, Journal(clock, ids), DriverService(database, clock, ids), clock, ids)
        self.pairs: list[tuple[Wallet, Wallet]] = []
        self.holds: list[Hold] = []
        """Open or not, as somebody saw them."""

    async def founded(self, drivers: int, cents: int = 20_000) -> Bank:
        for number in range(drivers):
            driver = await self.wallets.enrol(self.operator, f"driver-{number}", "Somebody", "EUR")
            async with self.database.transaction() as tx:
                dollars = await self.wallets.open(tx, self.operator, driver.id, "USD")
                euros = await self.wallets.open(tx, self.operator, driver.id, "EUR")
                for wallet in (euros, dollars):
                    amount = Money(cents, wallet.currency)
                    await self.wallets.money.pay_in(tx, wallet, PaymentId(uuid4()), 1, amount, ACCOUNT, CAUSE)
        return await self.entered()

    async def entered(self) -> Bank:
        """The wallets that are there, of each driver euros first."""
        wallets = table_of(Wallet)
        async with self.database.read() as reader:
            statement = select(wallets).where(wallets.c.operator_id == self.operator)
            found = await reader.list(Wallet, statement.order_by(wallets.c.id))
        euros = [wallet for wallet in found if wallet.currency == "EUR"]
        others = {wallet.driver_id: wallet for wallet in found if wallet.currency != "EUR"}
        self.pairs = [(wallet, others.get(wallet.driver_id, wallet)) for wallet in euros]
        return self

    # --- tellers ----------------------------------------------------------------------------------------------

    async def teller(self, seed: int, goes_on: Callable[[int], bool]) -> Counter[str]:
        """Do anything while it goes on; how often what was done, or refused."""
        chance, done = random.Random(seed), Counter[str]()
        while goes_on(done.total()):
            verb = chance.choice([self.pay_in, self.hold, self.hold, self.step, self.step, self.refund, self.exchange])
            try:
                await verb(chance)
                done[verb.__name__] += 1
            except REFUSED as refusal:
                done[type(refusal).__name__] += 1
        return done

    async def pay_in(self, chance: random.Random) -> None:
        wallet, amount = self._some(chance)
        verb = chance.choice([self.wallets.money.pay_in, self.wallets.money.pay_in, self.wallets.money.take_back])
        it = PaymentId(uuid4())
        await self.whole(lambda tx: verb(tx, wallet, it, 1, amount, ACCOUNT, CAUSE))
        if chance.random() < 0.1:
            lasts, key = timedelta(days=1), uuid4().hex
            await self.wallets.promos.grant(wallet, amount, lasts, "Welcome", key, CAUSE)

    async def hold(self, chance: random.Random) -> None:
        euros, _ = chance.choice(self.pairs)
        amount, session = Money(chance.randint(1, 2000), "EUR"), ChargingSessionId(uuid4())
        held = await self.whole(lambda tx: self.wallets.holds.open(tx, euros, session, str(uuid4()), amount, CAUSE))
        self.holds = [*self.holds[-20:], held]

    async def step(self, chance: random.Random) -> None:
        """The next one in the life of a hold that others may have seen, too."""
        if not self.holds:
            return
        hold, holds = chance.choice(self.holds), self.wallets.holds
        amount = Money(hold.raised_minor + chance.randint(1, 500), "EUR")
        steps: list[Callable[[Transaction], Awaitable[Hold]]] = [
            lambda tx: holds.raise_to(tx, hold, amount, CAUSE),
            lambda tx: holds.lower_to(tx, hold, Money(hold.remaining.minor // 2, "EUR"), CAUSE),
            lambda tx: holds.capture(tx, hold, earned(amount.minor), CAUSE, hold.opened_at),
            lambda tx: holds.capture(tx, hold, earned(hold.raised_minor // 2), CAUSE, hold.opened_at),
            lambda tx: holds.release(tx, hold, CAUSE),
            lambda tx: holds.expire(tx, hold, CAUSE),
        ]
        self.holds = [*self.holds[-20:], await self.whole(chance.choice(steps))]

    async def refund(self, chance: random.Random) -> None:
        wallet, amount = self._some(chance)
        it = PaymentId(uuid4())
        await self.whole(lambda tx: self.wallets.money.ask_refund(tx, wallet, it, 1, amount, CAUSE))
        await self.whole(lambda tx: self.wallets.money.confirm_refund(tx, wallet, it, 2, amount, ACCOUNT, CAUSE))

    async def exchange(self, chance: random.Random) -> None:
        source, target = chance.sample(chance.choice(self.pairs), 2)
        sold, bought = Money(chance.randint(1, 500), source.currency), Money(chance.randint(1, 500), target.currency)
        it = uuid4()
        await self.whole(lambda tx: self.wallets.money.exchange(tx, source, sold, target, bought, it, CAUSE))

    @retried
    async def whole(self, verb: Callable[[Transaction], Awaitable[Any]]) -> Any:  # noqa: ANN401  whatever the verb says
        """In a transaction of its own."""
        async with self.database.transaction() as tx:
            return await verb(tx)

    def _some(self, chance: random.Random) -> tuple[Wallet, Money]:
        wallet = chance.choice(chance.choice(self.pairs))
        return wallet, Money(chance.randint(1, 3000), wallet.currency)

    # --- looking ----------------------------------------------------------------------------------------------

    async def wrong_sums(self) -> list[str]:
        """What does not add up at this instant."""
        async with self.database.read() as reader:
            rows = {name: await reader.row(text(statement)) for name, statement in WRONG.items()}
        return [f"{name}: {dict(row)}" for name, row in rows.items() if row is not None]

    async def contradictions(self) -> list[str]:
        """What the audit finds."""
        async with self.database.snapshot() as reader:
            verdicts = await audit(reader)
        # What is sold here has no CDR.
        return [str(one.broken) for one in verdicts if one.broken and one.broken.table != "cdr"]


async def work(url: str, operator: UUID, seed: int, steps: int) -> Counter[str]:
    """One teller over a store of its own."""
    database = Database(url)
    bank = await Bank(database, operator).entered()
    await bank.teller(seed, lambda done: done < steps)
    await database.close()
    return Counter()


def main(url: str, operator: str, seed: str, steps: str) -> None:
    """A process of its own."""
    with busy.counted() as reasons:
        asyncio.run(work(url, UUID(operator), int(seed), int(steps)))
    sys.stdout.write(json.dumps(reasons))


if __name__ == "__main__":
    main(*sys.argv[1:])
