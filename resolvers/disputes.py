"""Disputes: a driver against a bill, its thread, and the desk that decides. What changes one is in complaints."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from domain import disputes as domain
from domain.errors import NotFound as NotThere
from domain.ids import DisputeId, DriverId
from domain.tariffs import parse_instant
from resolvers.connections import After, First, Keys, PageInfo, page_of
from resolvers.context import Info
from resolvers.describing import describe
from resolvers.extending import extends
from resolvers.nodes import Node, fetched_as, global_id, part_fetched_as
from resolvers.scalars import CursorText, Money, Timestamp
from resolvers.sessions import ChargingSession
from resolvers.wallets import Driver

describe(
    domain.DisputeStatus,
    "States of a dispute.",
    SUBMITTED="Handed in.",
    TRIAGE="Being checked by machine.",
    UNDER_REVIEW="An agent is to decide.",
    UPHELD="Decided for the driver.",
    PARTLY_UPHELD="Decided for the driver, with less money than was disputed.",
    REJECTED="Decided for the bill.",
)
describe(
    domain.DisputeReason,
    "Reasons for a dispute.",
    NOT_MY_SESSION="Somebody else charged.",
    CHARGED_TWICE="One session was billed twice.",
    NEVER_STARTED="No energy was delivered.",
    DID_NOT_STOP="It went on after the driver had stopped it.",
    WRONG_ENERGY="The energy on the bill is wrong.",
    WRONG_PRICE="The price is not the one that was shown.",
    IDLE_FEE_UNJUSTIFIED="Parking time was charged that should not be.",
    START_FEE_REPEATED="The fee for the session was charged more than once.",
    WRONG_VAT_OR_RECEIPT="The tax or the receipt is wrong.",
    PROMOTION_NOT_APPLIED="A promotion was forgotten.",
    ROAMING_PRICE="Charging with a foreign operator cost too much.",
    OTHER="Something else; the statement says what.",
)
describe(
    domain.Actor,
    "Who acts in a dispute.",
    called="DisputeActor",
    DRIVER="The driver.",
    STAFF="An agent.",
    SYSTEM="The automatic check.",
)
describe(
    domain.Side, "Sides of a dispute.", "TriageSide", DRIVER="The driver's.", BILL="The bill's.", NEITHER="Neither."
)


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

    @classmethod
    def of(cls, row: domain.DisputeEvent) -> DisputeEvent:
        """From the domain."""
        return cls(
            id=global_id("DisputeEvent", row.dispute_id, row.number),
            occurred_at=Timestamp(row.at),
            actor=row.actor,
            status=row.status,
            text=row.text,
        )


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
    async def events(self, info: Info, first: First = 20, after: After = None) -> DisputeEventConnection:
        """A page of the thread."""

        async def rows(behind: Keys | None, limit: int) -> list[domain.DisputeEvent]:
            number = 0 if behind is None else int(behind[0])
            return await info.context.services.dispute_desk.events(
                self.row.operator_id, self.row.id, after=number, limit=limit
            )

        page = await page_of(info, f"events:{self.id}", first, after, rows, lambda row: (row.number,))
        edges = [DisputeEventEdge(cursor=cursor, node=DisputeEvent.of(row)) for cursor, row in page.rows]
        return DisputeEventConnection(edges=edges, page_info=page.info)


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
        first: First = 20,
        after: After = None,
        statuses: Annotated[
            list[domain.DisputeStatus] | None,
            strawberry.argument(description="Only in these states; all when omitted."),
        ] = None,
    ) -> DisputeConnection:
        """A page of the queue."""
        return await _page(info, None, first, after, statuses)


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
    row = await _visible(info, key)
    return None if row is None else Dispute.of(row)


@part_fetched_as("DisputeEvent")
async def _event(info: Info, key: UUID, number: int) -> DisputeEvent | None:
    row = await _visible(info, key)
    if row is None:
        return None
    desk = info.context.services.dispute_desk
    found = await desk.events(row.operator_id, row.id, after=number - 1, limit=1)
    return next((DisputeEvent.of(event) for event in found if event.number == number), None)


async def _visible(info: Info, key: UUID) -> domain.Dispute | None:
    context = info.context
    try:
        owner = context.owner
    except NotThere:
        return None
    return await context.services.dispute_desk.dispute(context.operator_id, DisputeId(key), owner)


@extends(Driver, "Disputes about the driver's bills, newest first.", name="disputes")
async def of_driver(
    root: strawberry.Parent[Driver], info: Info, first: First = 20, after: After = None
) -> DisputeConnection:
    """A page."""
    return await _page(info, root.row.id, first, after, None)


@extends(ChargingSession, "Disputes about it, newest first.", name="disputes")
async def of_session(root: strawberry.Parent[ChargingSession], info: Info) -> list[Dispute]:
    """All of them; one a bill."""
    return [Dispute.of(row) for row in await info.context.loaders.disputes_of.load(root.row.id)]
