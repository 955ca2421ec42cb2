"""What tests of money share: an operator, a cause, postings made by hand, and the audit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import uuid4

from domain.clock import ManualClock
from domain.database import Database
from domain.errors import InsufficientFunds
from domain.ids import Ids, OperatorId
from domain.ledger import CHECKS, EVERYTHING, Account, Cause, Check, Journal, Leg, Posting, Written, balance
from domain.money import Money

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CAUSE = Cause(actor="test", request_id="request-1")


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def posting(reference: str, *legs: tuple[Account, Account, int], kind: str = "test") -> Posting:
    moved = tuple(Leg(source, target, eur(amount)) for source, target, amount in legs)
    return Posting(reference, kind, f"test:{reference}", NOON, moved)


class Books:
    """The ledger of one operator of its own; several share a database and never meet."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.operator = OperatorId(uuid4())
        self.clock = ManualClock(NOON)
        self.journal = Journal(self.clock, Ids(self.clock))

    async def post(self, *postings: Posting) -> list[Written]:
        async with self.database.transaction() as tx:
            return await self.journal.post(tx, self.operator, CAUSE, *postings)

    async def try_to_post(self, wanted: Posting) -> bool:
        try:
            await self.post(wanted)
        except InsufficientFunds:
            return False
        return True

    async def balance(self, account: Account) -> int:
        async with self.database.read() as reader:
            return (await balance(reader, self.operator, account, "EUR")).minor


async def verdicts(database: Database, checks: Iterable[Check] = CHECKS) -> dict[str, str]:
    """Titles of the checks that found something broken, and what."""
    async with database.snapshot() as reader:
        found = [await check(reader, EVERYTHING) for check in checks]
    return {verdict.title: str(verdict.broken) for verdict in found if verdict.broken}
