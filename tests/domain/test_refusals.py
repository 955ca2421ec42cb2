"""A refusal is said again to the same key, word for word, and to nobody else."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain import errors
from domain.database import Database
from domain.errors import DomainError, IdempotencyConflict
from domain.ids import OperatorId
from domain.money import Money
from domain.refusals import REMEMBERED, RefusedWish, Wish, recall, remember

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
WISH = Wish(OperatorId(UUID(int=1)), "driver-1", "startCharging", "key-1", {"quote": "q1", "budget": "5"})
SAID: list[DomainError] = [
    errors.InsufficientFunds(Money(1, "EUR"), Money(2000, "EUR")),
    errors.WalletFrozen(),
    errors.WalletClosed(),
    errors.WalletInDebt(Money(5, "JPY")),
    errors.EvseUnavailable("OUTOFORDER"),
    errors.DeadlinePassed(AT, "quote"),
    errors.NothingLeftToCredit(),
    errors.SelfDecision(),
]


def test_every_refusal_that_is_remembered_is_tried_here() -> None:
    assert {type(refusal) for refusal in SAID} == set(REMEMBERED)


@pytest.mark.parametrize("refusal", SAID, ids=lambda refusal: type(refusal).__name__)
async def test_a_refusal_comes_back_as_it_was(database: Database, refusal: DomainError) -> None:
    async with database.transaction() as tx:
        await remember(tx, WISH, refusal, AT)
        await remember(tx, WISH, errors.WalletInDebt(Money(99, "EUR")), AT)
    async with database.read() as reader:
        with pytest.raises(type(refusal)) as again:
            await recall(reader, WISH)
    assert (str(again.value), again.value.__dict__) == (str(refusal), refusal.__dict__)


async def test_the_same_key_for_another_wish_is_told_what_differs(database: Database) -> None:
    async with database.transaction() as tx:
        await remember(tx, WISH, errors.WalletFrozen(), AT)
        with pytest.raises(IdempotencyConflict) as refused:
            await recall(tx, WISH._replace(facts={"quote": "q1", "budget": "6"}))
        assert refused.value.differs == "budget"
        with pytest.raises(IdempotencyConflict, match="another quote and budget"):
            await recall(tx, WISH._replace(facts={"quote": "q2", "budget": "6"}))


async def test_another_owner_key_or_verb_is_another_wish(database: Database) -> None:
    async with database.transaction() as tx:
        await remember(tx, WISH, errors.WalletFrozen(), AT)
        for other in ({"owner": "driver-2"}, {"key": "key-2"}, {"verb": "topUpWallet"}):
            await recall(tx, WISH._replace(**other))  # type: ignore[arg-type]
        assert await tx.find(RefusedWish, operator_id=WISH.operator, idempotency_key="key-1") is not None
