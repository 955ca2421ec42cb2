"""Charging sessions: start, stop, live cost and bill."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from typing import Annotated, cast
from uuid import UUID

import strawberry

from domain import sessions as domain
from domain.energy import Energy
from domain.errors import NotFound as NotThere
from domain.ids import ChargingSessionId, QuoteId
from domain.tariffs import parse_instant
from resolvers.bills import CDR
from resolvers.connections import After, First, Keys, PageInfo, page_of
from resolvers.context import Info
from resolvers.costs import SessionCost
from resolvers.cursors import BadCursor
from resolvers.describing import describe
from resolvers.errors import (
    DeadlinePassed,
    EvseUnavailable,
    IdempotencyConflict,
    InsufficientFunds,
    NotFound,
    StateConflict,
    StationUnreachable,
    WalletClosed,
    WalletFrozen,
    WalletInDebt,
)
from resolvers.extending import extends
from resolvers.nodes import Node, fetched_as, global_id, key_of
from resolvers.partners import Connector
from resolvers.scalars import CursorText, Exact, Key, Timestamp
from resolvers.tariffs import Quote, Tariff, tariff_of
from resolvers.wallets import Driver, Hold

describe(
    domain.ChargingSessionStatus,
    "States of a session; COMPLETED and FAILED are final.",
    PENDING="Asked for; the charge point has not begun.",
    CHARGING="Energy flows.",
    SUSPENDED="The charge point holds the supply back; nothing runs meanwhile.",
    PARKED="Plugged in, and the vehicle asks for no energy.",
    STOPPING="The charge point has been asked to stop.",
    COMPLETED="Ended and billed.",
    FAILED="Ended without a bill; nothing is charged.",
)
describe(
    domain.SessionChannel,
    "How a session was started.",
    APP="By an app, with a quote.",
    RFID="By a card at the charge point.",
    ROAMING="By the driver of somebody else.",
    AD_HOC="By somebody who paid on the spot.",
)
describe(
    domain.StopReason,
    "Why a session ended.",
    called="SessionStopReason",
    DRIVER="The driver or an agent asked for it.",
    VEHICLE="The vehicle was full or unplugged.",
    BUDGET_REACHED="It reached the limit that was set for it.",
    FUNDS_EXHAUSTED="The wallet could not cover more.",
    STATION="The charge point ended it.",
    FAULT="Something broke.",
    STALLED="The charge point was not heard of any more.",
)
describe(
    domain.UpdateKind,
    "Why an update was sent.",
    SNAPSHOT="The state at the beginning.",
    CHANGE="The state has changed.",
    FINAL="The last state; nothing follows.",
)


@strawberry.type(description="One charging process, from the request to the bill.")
class ChargingSession(Node):
    """A session as of its revision."""

    revision: int = strawberry.field(description="Grows with every change; drop what is not newer than what you hold.")
    status: domain.ChargingSessionStatus = strawberry.field(description="Where it stands.")
    channel: domain.SessionChannel = strawberry.field(description="How it was started.")
    stop_reason: domain.StopReason | None = strawberry.field(description="Why it ended; null before.")
    requested_at: Timestamp = strawberry.field(description="When it was asked for.")
    started_at: Timestamp | None = strawberry.field(description="When energy first flowed.")
    ended_at: Timestamp | None = strawberry.field(description="When it ended.")
    energy_kwh: Exact = strawberry.field(description="Energy so far.")
    power_kw: Exact | None = strawberry.field(description="Power now; null when no energy flows.")
    charging_seconds: int = strawberry.field(description="Time with energy.")
    idle_seconds: int = strawberry.field(description="Time plugged in while the vehicle asked for no energy.")
    paused_seconds: int = strawberry.field(description="Time the station paused the supply; never billed.")
    ocpi_id: str | None = strawberry.field(description="Identifier in OCPI.")
    row: strawberry.Private[domain.ChargingSession]

    @classmethod
    def of(cls, row: domain.ChargingSession) -> ChargingSession:
        """From the domain."""
        return cls(
            id=global_id("ChargingSession", row.id),
            revision=row.revision,
            status=row.status,
            channel=row.channel,
            stop_reason=row.stop_reason,
            requested_at=Timestamp(row.requested_at),
            started_at=None if row.started_at is None else Timestamp(row.started_at),
            ended_at=None if row.ended_at is None else Timestamp(row.ended_at),
            energy_kwh=Exact(Energy(row.energy_wh).kwh),
            power_kw=None if row.power_w is None else Exact(Decimal(row.power_w).scaleb(-3)),
            charging_seconds=row.charging_seconds,
            idle_seconds=row.idle_seconds,
            paused_seconds=row.paused_seconds,
            ocpi_id=row.ocpi_id,
            row=row,
        )

    @strawberry.field(description="Cost so far.")
    def cost(self) -> SessionCost:
        """From the same row as everything else here."""
        return SessionCost.of(self.row)

    @strawberry.field(description="Connector in use.")
    async def connector(self, info: Info) -> Connector:
        """Where."""
        place = await info.context.loaders.places.load(self.row.connector_id)
        assert place is not None
        return Connector.of(place.connector)

    @strawberry.field(description="Tariff locked at the start.")
    async def tariff(self, info: Info) -> Tariff:
        """By what it is billed."""
        return await tariff_of(info, self.row.tariff_id)

    @strawberry.field(description="Price promised before the start; null for sessions started elsewhere.")
    async def quote(self, info: Info) -> Quote | None:
        """The accepted quote."""
        if self.row.quote_id is None:
            return None
        row = await info.context.loaders.quotes.load(self.row.quote_id)
        return None if row is None else Quote.of(row)

    @strawberry.field(description="The bill; null until COMPLETED.")
    async def cdr(self, info: Info) -> CDR | None:
        """The original one, credited or not."""
        found = await info.context.loaders.cdrs_of.load(self.row.id)
        bill = next((row for row in found if row.kind is domain.CdrKind.ORIGINAL), None)
        return None if bill is None else CDR.of(bill, found)


@strawberry.type(description="One session of a page.")
class ChargingSessionEdge:
    """An edge."""

    cursor: CursorText = strawberry.field(description="Its position.")
    node: ChargingSession = strawberry.field(description="The session.")


@strawberry.type(description="A page of sessions.")
class ChargingSessionConnection:
    """A page."""

    edges: list[ChargingSessionEdge] = strawberry.field(description="The sessions.")
    page_info: PageInfo = strawberry.field(description="Position of the page.")


@strawberry.type(description="An update about a session.")
class ChargingSessionUpdate:
    """One event of the feed."""

    cursor: CursorText = strawberry.field(description="Pass back as `after` to go on from here.")
    kind: domain.UpdateKind = strawberry.field(description="Why it was sent.")
    session: ChargingSession = strawberry.field(description="The session as of its `revision`.")


@strawberry.input(description="Arguments of `startCharging`.")
class StartChargingInput:
    """What to do."""

    idempotency_key: Key = strawberry.field(description="Makes retries safe.")
    quote_id: strawberry.ID = strawberry.field(description="The price the driver accepted; it names the connector.")


StartChargingResult = Annotated[
    ChargingSession
    | NotFound
    | IdempotencyConflict
    | DeadlinePassed
    | EvseUnavailable
    | StationUnreachable
    | InsufficientFunds
    | WalletFrozen
    | WalletClosed
    | WalletInDebt,
    strawberry.union("StartChargingResult", description="Outcome of `startCharging`."),
]


@strawberry.input(description="Arguments of `stopCharging`.")
class StopChargingInput:
    """What to do."""

    session_id: strawberry.ID = strawberry.field(description="Which session.")


StopChargingResult = Annotated[
    ChargingSession | NotFound | StateConflict | StationUnreachable,
    strawberry.union("StopChargingResult", description="Outcome of `stopCharging`."),
]


async def start_charging(info: Info, given: StartChargingInput) -> StartChargingResult:
    """Start a session paid from the wallet."""
    context = info.context
    quote = QuoteId(key_of(given.quote_id, "Quote", "input", "quoteId"))
    started = await context.services.charging.start(
        context.operator_id, context.me.id, quote, given.idempotency_key, context.cause
    )
    return ChargingSession.of(started)


async def stop_charging(info: Info, given: StopChargingInput) -> StopChargingResult:
    """Stop a session; asking twice is asking once."""
    context = info.context
    session = ChargingSessionId(key_of(given.session_id, "ChargingSession", "input", "sessionId"))
    return ChargingSession.of(await context.services.charging.stop(context.operator_id, context.owner, session))


async def watch_session(info: Info, session_id: str, after: str | None) -> AsyncGenerator[ChargingSessionUpdate, None]:
    """The states of one session until it is final."""
    context = info.context
    session = ChargingSessionId(key_of(session_id, "ChargingSession"))
    scope = f"session:{session}"
    try:
        seen = 0 if after is None else int(context.cursors.read(scope, after)[0])
    except BadCursor:
        seen = 0
    watch = context.services.sessions.watch(context.operator_id, session, context.owner, seen)
    states = cast("AsyncGenerator[tuple[domain.UpdateKind, domain.ChargingSession], None]", watch)
    async with aclosing(states):  # whoever leaves gives back the mailbox at once
        async for kind, row in states:
            context.loaders.forget()
            yield ChargingSessionUpdate(
                cursor=CursorText(context.cursors.make(scope, (row.revision,))),
                kind=kind,
                session=ChargingSession.of(row),
            )


@fetched_as("ChargingSession")
async def _session(info: Info, key: UUID) -> ChargingSession | None:
    context = info.context
    try:
        owner = context.owner
    except NotThere:
        return None
    row = await context.loaders.sessions.load(ChargingSessionId(key))
    return None if row is None or owner not in (None, row.driver_id) else ChargingSession.of(row)


@extends(Driver, "Sessions that have not ended.")
async def active_sessions(root: strawberry.Parent[Driver], info: Info) -> list[ChargingSession]:
    """At most 20."""
    found = await info.context.services.sessions.active_of(root.operator_key, root.row.id)
    return [ChargingSession.of(row) for row in found]


@extends(Driver, "All sessions, latest request first.")
async def sessions(
    root: strawberry.Parent[Driver], info: Info, first: First = 20, after: After = None
) -> ChargingSessionConnection:
    """A page."""

    async def rows(behind: Keys | None, limit: int) -> list[domain.ChargingSession]:
        before = None
        if behind is not None:
            before = parse_instant(str(behind[0])), ChargingSessionId(UUID(str(behind[1])))
        return await info.context.services.sessions.sessions_of(
            root.operator_key, root.row.id, before=before, statuses=None, limit=limit
        )

    page = await page_of(info, "sessions", first, after, rows, lambda row: (row.requested_at.isoformat(), str(row.id)))
    edges = [ChargingSessionEdge(cursor=cursor, node=ChargingSession.of(row)) for cursor, row in page.rows]
    return ChargingSessionConnection(edges=edges, page_info=page.info)


@extends(Hold, "The session it secures; null until an authorised one has begun.")
async def session(root: strawberry.Parent[Hold], info: Info) -> ChargingSession | None:
    """Of whoever may see the hold."""
    if root.session_key is None:
        return None
    row = await info.context.loaders.sessions.load(root.session_key)
    assert row is not None
    return ChargingSession.of(row)
