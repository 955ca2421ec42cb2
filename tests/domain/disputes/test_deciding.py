"""Verdicts: one for each dispute, by an agent who has seen its newest state and is not the driver."""

from __future__ import annotations

import asyncio

import pytest

from domain.disputes import Actor, Dispute, DisputeEvent, DisputeStatus
from domain.errors import (
    AmountNotAllowed,
    CardDataRefused,
    CurrencyMismatch,
    DomainError,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    SelfDecision,
    StateConflict,
)
from domain.ledger import Document, DocumentKind
from domain.money import Money
from domain.sessions import CDR
from tests.domain.disputes.case import WHY, disputed, nothing_moved, reject, uphold
from tests.domain.sessions.stage import Stage, built, euro


async def test_of_two_agents_at_once_one_decides(stage: Stage) -> None:
    dispute = await disputed(stage)
    told = await asyncio.gather(
        uphold(stage, dispute, 300, "u1", "anna"),
        uphold(stage, dispute, 200, "u2", "bert"),
        reject(stage, dispute, "carl"),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in told) == ["Dispute", "StateConflict", "StateConflict"]
    decided = await stage.one(Dispute)
    given = 0 if decided.refund is None else decided.refund.minor
    assert decided.is_decided
    assert await stage.spendable() == 4286 + given
    assert len(await stage.all(Document, kind=DocumentKind.CREDIT_NOTE)) == (1 if given else 0)
    await stage.audited()


async def test_the_same_key_decides_once_even_at_once(stage: Stage) -> None:
    dispute = await disputed(stage)
    told = await asyncio.gather(*(uphold(stage, dispute, 300) for _ in range(4)))
    before = await stage.everything()
    assert await uphold(stage, dispute, 300) == told[0]
    assert await stage.everything() == before
    assert (len({one.revision for one in told}), await stage.spendable()) == (1, 4586)
    await nothing_moved(stage, IdempotencyConflict, lambda: uphold(stage, dispute, 301))
    await nothing_moved(stage, IdempotencyConflict, lambda: uphold(stage, dispute, 300, words="Other"))
    await stage.audited()


async def test_who_has_seen_an_older_revision_decides_nothing(stage: Stage) -> None:
    dispute = await disputed(stage)
    stale = dispute.revision - 1
    refused = await nothing_moved(stage, StateConflict, lambda: uphold(stage, dispute, 300, revision=stale))
    assert isinstance(refused, StateConflict)
    assert (refused.kind, refused.object_id) == ("dispute", dispute.id)


@pytest.mark.parametrize(
    ("refund", "error"),
    [
        (euro(0), AmountNotAllowed),
        (euro(501), AmountNotAllowed),
        (euro(-500), AmountNotAllowed),
        (Money(100, "SEK"), CurrencyMismatch),
    ],
)
async def test_no_more_than_was_disputed_is_given_back(stage: Stage, refund: Money, error: type[DomainError]) -> None:
    dispute = await disputed(stage, euro(500))
    await nothing_moved(stage, error, lambda: uphold(stage, dispute, refund))


async def test_nobody_decides_a_case_of_their_own(stage: Stage) -> None:
    dispute = await disputed(stage)
    await nothing_moved(stage, SelfDecision, lambda: uphold(stage, dispute, 300, agent="driver"))
    await nothing_moved(stage, SelfDecision, lambda: reject(stage, dispute, "driver"))


async def test_a_rejected_dispute_moves_no_money_and_stays_decided(stage: Stage) -> None:
    dispute = await disputed(stage)
    money = await stage.money()
    decided = await reject(stage, dispute)
    assert (decided.status, decided.refund, decided.explanation) == (DisputeStatus.REJECTED, None, WHY)
    assert (await stage.money(), len(await stage.all(CDR))) == (money, 1)
    last = (await stage.all(DisputeEvent))[-1]
    assert (last.number, last.actor, last.actor_subject, last.text) == (4, Actor.STAFF, "agent", WHY)
    await nothing_moved(stage, StateConflict, lambda: uphold(stage, decided, 300))
    await nothing_moved(stage, StateConflict, lambda: reject(stage, decided))
    await stage.audited()


async def test_words_of_an_agent_are_looked_at_too(stage: Stage) -> None:
    dispute = await disputed(stage)
    for words, error in (("", InvalidInput), ("4111111111111111", CardDataRefused)):
        await nothing_moved(stage, error, lambda words=words: uphold(stage, dispute, 1, words=words))  # type: ignore[misc]
        await nothing_moved(stage, error, lambda words=words: reject(stage, dispute, words=words))  # type: ignore[misc]


async def test_a_dispute_of_another_operator_does_not_exist(stage: Stage) -> None:
    dispute, other = await disputed(stage), await built(stage.database)
    desk = stage.services.dispute_desk
    await nothing_moved(stage, NotFound, lambda: uphold(other, dispute, 300))
    await nothing_moved(stage, NotFound, lambda: reject(other, dispute))
    assert await desk.dispute(other.operator, dispute.id, None) is None
    assert await desk.events(other.operator, dispute.id, after=0, limit=9) == []
