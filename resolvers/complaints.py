"""What changes disputes: a driver submits one, the desk upholds or rejects it."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain import disputes as domain
from domain.ids import ChargingSessionId, DisputeId
from resolvers.context import Info
from resolvers.disputes import Dispute
from resolvers.errors import (
    AmountNotAllowed,
    CardDataRefused,
    CurrencyMismatch,
    DisputeWindowClosed,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    NothingLeftToCredit,
    SelfDecision,
    StateConflict,
)
from resolvers.nodes import key_of
from resolvers.scalars import Key, MoneyInput


@strawberry.input(description="Exactly one thing a dispute can be about.", one_of=True)
class DisputeSubjectInput:
    """The subject."""

    session_id: strawberry.Maybe[strawberry.ID] = strawberry.field(description="A session.")


@strawberry.input(description="Arguments of `submitDispute`.")
class SubmitDisputeInput:
    """What to do."""

    idempotency_key: Key = strawberry.field(description="Makes retries safe.")
    subject: DisputeSubjectInput = strawberry.field(description="What it is about.")
    reason: domain.DisputeReason = strawberry.field(description="Why.")
    statement: str = strawberry.field(description="In the driver's own words, 10 to 4000 characters.")
    disputed_amount: MoneyInput | None = strawberry.field(
        default=None, description="Amount called into question; all of it when omitted."
    )


@strawberry.input(description="Arguments of `upholdDispute`.")
class UpholdDisputeInput:
    """What to do."""

    idempotency_key: Key = strawberry.field(description="Makes retries safe.")
    dispute_id: strawberry.ID = strawberry.field(description="Which dispute.")
    expected_revision: int = strawberry.field(description="The `revision` the agent looked at.")
    refund: MoneyInput = strawberry.field(
        description="How much to give back into the driver's wallet, above zero, tax included."
    )
    explanation: str = strawberry.field(description="Explanation for the driver.")


@strawberry.input(description="Arguments of `rejectDispute`.")
class RejectDisputeInput:
    """What to do."""

    dispute_id: strawberry.ID = strawberry.field(description="Which dispute.")
    expected_revision: int = strawberry.field(description="The `revision` the agent looked at.")
    explanation: str = strawberry.field(description="Explanation for the driver.")


SubmitDisputeResult = Annotated[
    Dispute
    | InvalidInput
    | NotFound
    | IdempotencyConflict
    | StateConflict
    | AmountNotAllowed
    | CurrencyMismatch
    | DisputeWindowClosed
    | CardDataRefused,
    strawberry.union("SubmitDisputeResult", description="Outcome of `submitDispute`."),
]
UpholdDisputeResult = Annotated[
    Dispute
    | InvalidInput
    | NotFound
    | IdempotencyConflict
    | StateConflict
    | AmountNotAllowed
    | CurrencyMismatch
    | NothingLeftToCredit
    | SelfDecision
    | CardDataRefused,
    strawberry.union("UpholdDisputeResult", description="Outcome of `upholdDispute`."),
]
RejectDisputeResult = Annotated[
    Dispute | InvalidInput | NotFound | StateConflict | SelfDecision | CardDataRefused,
    strawberry.union("RejectDisputeResult", description="Outcome of `rejectDispute`."),
]


async def submit_dispute(info: Info, given: SubmitDisputeInput) -> SubmitDisputeResult:
    """Open a dispute about a bill of one's own."""
    context = info.context
    subject = given.subject.session_id
    path = ("input", "subject", "sessionId")
    session = ChargingSessionId(key_of("" if subject is None else subject.value, "ChargingSession", *path))
    opened = await context.services.disputes.submit(
        context.operator_id,
        context.me.id,
        session,
        given.reason,
        given.statement,
        None if given.disputed_amount is None else given.disputed_amount.to_money(),
        given.idempotency_key,
    )
    return Dispute.of(opened)


async def uphold_dispute(info: Info, given: UpholdDisputeInput) -> UpholdDisputeResult:
    """Decide for the driver; verdict and money go together or not at all."""
    context = info.context
    decided = await context.services.disputes.uphold(
        context.operator_id,
        DisputeId(key_of(given.dispute_id, "Dispute", "input", "disputeId")),
        given.expected_revision,
        given.refund.to_money(),
        given.explanation,
        context.principal.subject,
        given.idempotency_key,
    )
    return Dispute.of(decided)


async def reject_dispute(info: Info, given: RejectDisputeInput) -> RejectDisputeResult:
    """Decide against the driver."""
    context = info.context
    decided = await context.services.disputes.reject(
        context.operator_id,
        DisputeId(key_of(given.dispute_id, "Dispute", "input", "disputeId")),
        given.expected_revision,
        given.explanation,
        context.principal.subject,
    )
    return Dispute.of(decided)
