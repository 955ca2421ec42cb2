"""A process that does what it is told to a few wallets, announces what is done, and kills itself at a boundary.

    python -m tests.domain.wallets.mortal URL    then one line of JSON for each life: operator, point, number, log

It forks for each life, so that none has to import anything again, and answers with how it ended. `point` names a kind
of boundary (or is empty: any), `number` says at which of them the life ends; 0 is never.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import pytest

from domain.database import Database, Transaction
from domain.ids import ChargingSessionId, DocumentId, OperatorId, PaymentId
from domain.ledger import Journal, journal
from domain.ledger.writing import write
from domain.money import Money
from domain.wallets import Hold, HoldStatus, Wallet, statement
from domain.wallets.holds import Holds
from tests.domain.wallets.bank import CAUSE, Bank
from tests.domain.wallets.purse import ACCOUNT, earned

END = (3569, 0, 0, 0)
"""Available, held, promo and owed in each wallet, once all of it is done, once each."""
POSTINGS = 13
"""Of each wallet; by chance as many as there are steps."""
POINTS = (
    "begin before",
    "begin after",
    "funds before",
    "funds after",
    "hold before",
    "hold after",
    "posting before",
    "posting after",
    "line before",
    "line after",
    "commit before",
    "commit after",
    "announce before",
    "announce after",
)


class Step(NamedTuple):
    """One keyed verb, and the references of what it posts."""

    name: str
    verb: Callable[[Transaction, Wallet], Awaitable[object]]
    posts: tuple[str, ...]


class Story:
    """What happens in one wallet, step by step; every step may be told again and is done once."""

    def __init__(self, bank: Bank, wallet: Wallet) -> None:
        self.bank, self.wallet, self.money, self.holds = bank, wallet, bank.wallets.money, bank.wallets.holds
        self.payment, self.late = PaymentId(self._id("payment")), PaymentId(self._id("late payment"))
        self.session, self.note = ChargingSessionId(self._id("session")), DocumentId(self._id("note"))
        self.gift = self._id("gift")

    def steps(self) -> list[Step]:
        paid, late, at = self.payment, self.late, (ACCOUNT, CAUSE)
        money = self.money
        return [
            Step("top up", lambda tx, w: money.pay_in(tx, w, paid, 1, euro(5000), *at), (f"payment:{paid}:1",)),
            Step("hold", lambda tx, w: self._open(tx, w, "first", self.session, 2000), ()),
            Step(
                "raise",
                lambda tx, _: self._with("first", tx, lambda h: self.holds.raise_to(tx, h, euro(2500), CAUSE)),
                (),
            ),
            Step(
                "capture",
                lambda tx, _: self._with(
                    "first", tx, lambda h: self.holds.capture(tx, h, earned(1000, 190), CAUSE, h.opened_at)
                ),
                (f"capture:{self.session}",),
            ),
            Step(
                "credit",
                lambda tx, w: money.credit(tx, w, self.session, self.note, earned(50, 9), CAUSE),
                (f"credit:{self.note}",),
            ),
            Step("refund", lambda tx, w: money.ask_refund(tx, w, paid, 2, euro(400), CAUSE), (f"payment:{paid}:2",)),
            Step("sent", lambda tx, w: money.confirm_refund(tx, w, paid, 3, euro(400), *at), (f"payment:{paid}:3",)),
            Step("second hold", lambda tx, w: self._open(tx, w, "second", None, 700), ()),
            Step(
                "lower",
                lambda tx, _: self._with("second", tx, lambda h: self.holds.lower_to(tx, h, euro(300), CAUSE)),
                (),
            ),
            Step("release", lambda tx, _: self._with("second", tx, lambda h: self.holds.release(tx, h, CAUSE)), ()),
            Step(
                "gift", lambda tx, w: money.give(tx, w, self.gift, euro(100), "Sorry", CAUSE), (f"manual:{self.gift}",)
            ),
            Step("late", lambda tx, w: money.pay_in(tx, w, late, 1, euro(800), *at), (f"payment:{late}:1",)),
            Step("taken back", lambda tx, w: money.take_back(tx, w, late, 2, euro(800), *at), (f"payment:{late}:2",)),
        ]

    @property
    def kept(self) -> dict[str, tuple[str, Callable[[Hold], bool]]]:
        """What steps leave in holds: which hold, and how it is known."""
        first, second = self._reference("first"), self._reference("second")
        return {
            "hold": (first, lambda hold: hold.raised_minor >= 2000),
            "raise": (first, lambda hold: hold.raised_minor == 2500),
            "capture": (first, lambda hold: (hold.status, hold.captured_minor) == (HoldStatus.CAPTURED, 1190)),
            "second hold": (second, lambda hold: hold.raised_minor == 700),
            "lower": (second, lambda hold: hold.released_minor >= 400),
            "release": (second, lambda hold: (hold.status, hold.released_minor) == (HoldStatus.RELEASED, 700)),
        }

    async def told(self, step: Step) -> None:
        await self.bank.whole(lambda tx: step.verb(tx, self.wallet))

    async def told_again(self) -> None:
        for step in self.steps():
            await self.told(step)

    async def _open(
        self, tx: Transaction, wallet: Wallet, name: str, session: ChargingSessionId | None, cents: int
    ) -> None:
        """Once for its reference, as a wish is once for its key."""
        if await self._hold(tx, name) is None:
            await self.holds.open(tx, wallet, session, self._reference(name), euro(cents), CAUSE)

    async def _with(self, name: str, tx: Transaction, verb: Callable[[Hold], Awaitable[object]]) -> None:
        hold = await self._hold(tx, name)
        assert hold is not None
        if hold.status is HoldStatus.OPEN:
            await verb(hold)

    async def _hold(self, tx: Transaction, name: str) -> Hold | None:
        return await tx.find(Hold, operator_id=self.bank.operator, authorization_reference=self._reference(name))

    def _reference(self, name: str) -> str:
        return str(self._id(name))

    def _id(self, name: str) -> UUID:
        return uuid5(self.wallet.id, name)


def euro(cents: int) -> Money:
    return Money(cents, "EUR")


# --- one life -----------------------------------------------------------------------------------------------------


class Fate:
    """Counts boundaries, and ends the process at one of them."""

    def __init__(self, point: str, number: int) -> None:
        self.point, self.number, self.passed = point, number, 0

    def at(self, point: str) -> None:
        if self.point in ("", point):
            self.passed += 1
            if self.passed == self.number:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, name: str, verb: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        @functools.wraps(verb)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  as it is
            self.at(f"{name} before")
            reply = await verb(*args, **kwargs)
            self.at(f"{name} after")
            return reply

        return wrapped

    def hangs_over(self, patched: pytest.MonkeyPatch) -> None:
        """Every boundary of the product."""
        begun = Database.transaction

        @asynccontextmanager
        async def transaction(database: Database) -> AsyncIterator[Transaction]:
            self.at("begin before")
            async with begun(database) as tx:
                self.at("begin after")
                yield tx
                self.at("commit before")
            self.at("commit after")

        patched.setattr(Database, "transaction", transaction)
        patched.setattr(Journal, "lock", self.around("funds", Journal.lock))
        patched.setattr(Holds, "_change", self.around("hold", Holds._change))
        patched.setattr(journal, "write", self.around("posting", write))
        patched.setattr(statement, "lines", self.around("line", statement.lines))


async def life(url: str, operator: UUID, fate: Fate, log: int) -> None:
    """All wallets at once; a step is announced when it is acknowledged, in a write of its own."""
    database = Database(url)
    bank = await Bank(database, OperatorId(operator)).entered()

    async def lived(number: int, story: Story) -> None:
        for step in story.steps():
            await story.told(step)
            fate.at("announce before")
            os.write(log, f"{number} {step.name}\n".encode())
            fate.at("announce after")

    with pytest.MonkeyPatch.context() as patched:
        fate.hangs_over(patched)
        await asyncio.gather(*(lived(number, Story(bank, pair[0])) for number, pair in enumerate(bank.pairs)))
    await database.close()


def main(url: str) -> None:
    """One life for each line."""
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if not child:
            fate = Fate(told["point"], told["number"])
            log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            asyncio.run(life(url, UUID(told["operator"]), fate, log))
            os.write(log, f"passed {fate.passed}\n".encode())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
