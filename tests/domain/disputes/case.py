"""A dispute as driver and agent make it: submitted, upheld, rejected, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.disputes import Dispute, DisputeReason
from domain.errors import DomainError
from domain.money import Money
from domain.sessions import ChargingSession
from tests.domain.sessions.stage import Stage, euro

WORDS = "The charger stopped after ten minutes."
WHY = "The station reported a fault."


async def submit(
    stage: Stage, session: ChargingSession, amount: Money | None = None, key: str = "d1", words: str = WORDS
) -> Dispute:
    return await stage.services.disputes.submit(
        stage.operator, stage.driver.id, session.id, DisputeReason.DID_NOT_STOP, words, amount, key
    )


async def disputed(stage: Stage, amount: Money | None = None) -> Dispute:
    return await submit(stage, await stage.charged(), amount)


async def uphold(
    stage: Stage,
    dispute: Dispute,
    refund: int | Money,
    key: str = "u1",
    agent: str = "agent",
    revision: int | None = None,
    words: str = WHY,
) -> Dispute:
    return await stage.services.disputes.uphold(
        stage.operator,
        dispute.id,
        dispute.revision if revision is None else revision,
        euro(refund) if isinstance(refund, int) else refund,
        words,
        agent,
        key,
    )


async def reject(stage: Stage, dispute: Dispute, agent: str = "agent", words: str = WHY) -> Dispute:
    return await stage.services.disputes.reject(stage.operator, dispute.id, dispute.revision, words, agent)


async def nothing_moved(stage: Stage, error: type[DomainError], attempt: Callable[[], Any]) -> DomainError:
    before = await stage.everything()
    with pytest.raises(error) as refused:
        await attempt()
    assert await stage.everything() == before
    return refused.value
