"""Disputes: a driver against a bill, and the desk that decides."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from domain import disputes as domain
from domain.errors import NotFound as NotThere
from domain.ids import ChargingSessionId, DisputeId, DriverId
from domain.tariffs import parse_instant
from resolvers.connections import Keys, PageInfo, page_of
from resolvers.context import Info
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
from resolvers.extending import extends
from resolvers.nodes import Node, fetched_as, global_id, key_of
from resolvers.scalars import CursorText, Key, Money, MoneyInput, Timestamp
from resolvers.sessions import ChargingSession
from resolvers.wallets import Driver

strawberry.enum(domain.DisputeStatus, description="States of a dispute.")
strawberry.enum(domain.DisputeReason, description="Reasons for a dispute.")
strawberry.enum(domain.Actor, name="DisputeActor", description="Who acts in a dispute.")
strawberry.enum(domain.Side, name="TriageSide", description="Sides of a dispute.")


@strawberry.type(description="One result of the automatic check of a dispute.")
class TriageFinding:
    """A finding."""

    check: str = strawberry.field(description="Name of the check, such as `reprice`; the list grows.")
    favours: domain.Side = strawberry.field(description="Which side it speaks for.")
    is_certain: bool = strawberry.field(description="Whether it rests on complete facts.")
    message: str = strawberry.field(description="What was found, fit to show to the driver.")
    creditable: Money | None = strawberry.field(
        description="Money it would give back alone; null when it cannot be counted."
    )


@strawberry.type(description="Outcome of a dispute.")
class DisputeResolution:
    """A verdict."""

    explanation: str = strawberry.field(description="Explanation for the driver.")
    refund: Money | None = strawberry.field(description="Money given back; null when rejected.")
    decided_at: Timestamp = strawberry.field(description="When it was decided.")


@strawberry.type(description="One step in the life of a dispute: a message or a change of state.")
class DisputeEvent(Node):
    """An event."""

    occurred_at: Timestamp = strawberry.field(description="When.")
    actor: domain.Actor = strawberry.field(description="Who.")
    status: domain.DisputeStatus = strawberry.field(description="State after it.")
    text: str | None = strawberry.field(description="What was said; null for a mere change of state.")


@strawberry.type(description="One event of a page.")
class DisputeEventEdge:
    """An edge."""

    cursor: CursorText = strawberry.field(description="Its position.")
    node: DisputeEvent = strawberry.field(description="The event.")


@strawberry.type(description="A page of dispute events.")
class DisputeEventConnection:
    """A page."""

    edges: list[DisputeEventEdge] = strawberry.field(description="The events.")
    page_info: PageInfo = strawberry.field(description="Position of the page.")


DisputeSubject = Annotated[
    ChargingSession, strawberry.union("DisputeSubject", description="What a dispute can be about.")
]


@strawberry.type(description="A driver's complaint about a bill.")
class Dispute(Node):
    """A dispute."""

    revision: int = strawberry.field(
        description="Grows with every change; pass it back to avoid overwriting a colleague."
    )
    reference: str = strawberry.field(description="Short reference for people, such as `D-7F3K2A`.")
    status: domain.DisputeStatus = strawberry.field(description="Where it stands.")
    reason: domain.DisputeReason = strawberry.field(description="Why it was opened.")
    statement: str = strawberry.field(description="The driver's own words.")
    disputed_amount: Money = strawberry.field(description="Amount called into question.")
    opened_at: Timestamp = strawberry.field(description="When it was opened.")
    answer_due_at: Timestamp | None = strawberry.field(description="An answer is promised by then; null once decided.")
    row: strawberry.Private[domain.Dispute]

    @classmethod
    def of(cls, row: domain.Dispute) -> Dispute:
        """From the domain."""
        return cls(
            id=global_id("Dispute", row.id),
            revision=row.revision,
            reference=row.reference,
            status=row.status,
            reason=row.reason,
            statement=row.statement,
            disputed_amount=Money.of(row.disputed),
            opened_at=Timestamp(row.opened_at),
            answer_due_at=None if row.is_decided else Timestamp(row.answer_due_at),
            row=row,
        )

    @strawberry.field(description="What it is about.")
    async def subject(self, info: Info) -> DisputeSubject:
        """The session whose bill is disputed."""
        row = await info.context.loaders.sessions.load(self.row.session_id)
        assert row is not None
        return ChargingSession.of(row)

    @strawberry.field(description="Outcome; null while open.")
    def resolution(self) -> DisputeResolution | None:
        """The verdict."""
        row = self.row
        if row.decided_at is None or row.explanation is None:
            return None
        return DisputeResolution(
            explanation=row.explanation,
            refund=None if row.refund is None else Money.of(row.refund),
            decided_at=Timestamp(row.decided_at),
        )

    @strawberry.field(description="What the automatic check found, heaviest first.")
    def findings(self) -> list[TriageFinding]:
        """For those who decide."""
        return [
            TriageFinding(
                check=found.check,
                favours=found.favours,
                is_certain=found.is_certain,
                message=found.message,
                creditable=None if found.creditable is None else Money.of(found.creditable),
            )
            for found in domain.findings_of(self.row.findings, self.row.currency)
        ]

    @strawberry.field(description="The thread, oldest first.")
    async def events(self, info: Info, first: int = 20, after: CursorText | None = None) -> DisputeEventConnection:
        """A page of the thread."""

        async def rows(behind: Keys | None, limit: int) -> list[domain.DisputeEvent]:
            number = 0 if behind is None else int(behind[0])
            return await info.context.services.dispute_desk.events(
                self.row.operator_id, self.row.id, after=number, limit=limit
            )

        page = await page_of(info, f"events:{self.id}", first, after, rows, lambda row: (row.number,))
        edges = [DisputeEventEdge(cursor=cursor, node=self._event(row)) for cursor, row in page.rows]
        return DisputeEventConnection(edges=edges, page_info=page.info)

    def _event(self, row: domain.DisputeEvent) -> DisputeEvent:
        return DisputeEvent(
            id=strawberry.ID(f"{self.id}.{row.number}"),
            occurred_at=Timestamp(row.at),
            actor=row.actor,
            status=row.status,
            text=row.text,
        )


@strawberry.type(description="One dispute of a page.")
class DisputeEdge:
    """An edge."""

    cursor: CursorText = strawberry.field(description="Its position.")
    node: Dispute = strawberry.field(description="The dispute.")


@strawberry.type(description="A page of disputes.")
class DisputeConnection:
    """A page."""

    edges: list[DisputeEdge] = strawberry.field(description="The disputes.")
    page_info: PageInfo = strawberry.field(description="Position of the page.")


@strawberry.type(description="Where support agents work.")
class SupportDesk:
    """The queue."""

    @strawberry.field(description="Disputes of all drivers, newest first.")
    async def disputes(
        self,
        info: Info,
        first: int = 20,
        after: CursorText | None = None,
        statuses: list[domain.DisputeStatus] | None = None,
    ) -> DisputeConnection:
        """A page of the queue."""
        return await _page(info, None, first, after, statuses)


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


async def _page(
    info: Info,
    driver: DriverId | None,
    first: int,
    after: str | None,
    statuses: list[domain.DisputeStatus] | None,
) -> DisputeConnection:
    async def rows(behind: Keys | None, limit: int) -> list[domain.Dispute]:
        before = None
        if behind is not None:
            before = parse_instant(str(behind[0])), DisputeId(UUID(str(behind[1])))
        return await info.context.services.dispute_desk.disputes(
            info.context.operator_id, driver, before=before, statuses=statuses, limit=limit
        )

    scope = f"disputes:{driver}:{'' if statuses is None else ','.join(sorted(statuses))}"
    page = await page_of(info, scope, first, after, rows, lambda row: (row.opened_at.isoformat(), str(row.id)))
    edges = [DisputeEdge(cursor=cursor, node=Dispute.of(row)) for cursor, row in page.rows]
    return DisputeConnection(edges=edges, page_info=page.info)


@fetched_as("Dispute")
async def _dispute(info: Info, key: UUID) -> Dispute | None:
    context = info.context
    try:
        owner = context.owner
    except NotThere:
        return None
    row = await context.services.dispute_desk.dispute(context.operator_id, DisputeId(key), owner)
    return None if row is None else Dispute.of(row)


@extends(Driver, "Disputes about the driver's bills, newest first.", name="disputes")
async def of_driver(
    root: strawberry.Parent[Driver], info: Info, first: int = 20, after: CursorText | None = None
) -> DisputeConnection:
    """A page."""
    return await _page(info, root.row.id, first, after, None)


@extends(ChargingSession, "Disputes about it, newest first.", name="disputes")
async def of_session(root: strawberry.Parent[ChargingSession], info: Info) -> list[Dispute]:
    """All of them; one a bill."""
    return [Dispute.of(row) for row in await info.context.loaders.disputes_of.load(root.row.id)]
