"""Orders to charge points: noted in the transaction that wants them, sent after it, concluded by their result."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Transaction, retried
from domain.drivers import DriverService
from domain.errors import NotFound
from domain.ids import OperatorId
from domain.ledger import Cause
from domain.partners import PartnerService, Party
from domain.sessions.control import ChargerControl, Reply, Start, Stop
from domain.sessions.feed import Feed
from domain.sessions.models import (
    LIFE_OF_A_CHARGING_SESSION,
    LIFE_OF_A_COMMAND,
    ChargerCommand,
    ChargingSession,
    ChargingSessionStatus,
    CommandKind,
    CommandState,
    StopReason,
)
from domain.sessions.securing import Securing, changed
from domain.states import may_move, move

_commands = table_of(ChargerCommand)
_sessions = table_of(ChargingSession)
_Status = ChargingSessionStatus

LEASE = timedelta(seconds=30)
PATIENCE = timedelta(seconds=90)
"""How long a charge point may take to begin or to end; afterwards a start is given up, its money free again."""
BEGIN_WITHIN = timedelta(minutes=10)
"""How long a charge point that took the order may wait for a vehicle before the money is free again."""
PAUSE = timedelta(seconds=2)
WORKER = Cause(actor="worker", request_id="orders")
_OPEN = (CommandState.NOTED, CommandState.SENDING, CommandState.SENT, CommandState.UNKNOWN)


def noted(session: ChargingSession, kind: CommandKind, now: datetime) -> ChargerCommand:
    """An order to be sent after commit. Its id is random: whoever knows it can tell us its result."""
    return ChargerCommand(
        operator_id=session.operator_id,
        id=uuid.uuid4(),
        session_id=session.id,
        kind=kind,
        state=CommandState.NOTED,
        next_at=now,
        expires_at=now + PATIENCE,
    )


REFUSED, NOT_SENT = "REFUSED", "NOT_SENT"
"""Results of orders that the operator refused at once, or that could not be sent to it."""


class OrderService:
    """Sends orders and takes their results; whoever comes first, worker or request, sends an order."""

    def __init__(
        self,
        database: Database,
        partners: PartnerService,
        drivers: DriverService,
        securing: Securing,
        control: ChargerControl,
        feed: Feed,
        clock: Clock,
    ) -> None:
        self._database = database
        self._partners = partners
        self._drivers = drivers
        self._securing = securing
        self._control = control
        self._feed = feed
        self._clock = clock

    async def send(self, command: ChargerCommand) -> Reply | None:
        """Send a noted order and write down what was said; None if somebody else is at it."""
        claimed = await self._claim(command)
        if claimed is None:
            return None
        order = await self._order(claimed)
        reply = Reply.REFUSED if order is None else await self._control.send(order)
        await self._write(claimed, reply)
        return reply

    async def conclude(self, party: Party, command: uuid.UUID, result: str) -> None:
        """The result of an order, from the party it was sent to; told twice it counts once. Raises NotFound."""
        async with self._database.read() as reader:
            found = await reader.find(ChargerCommand, operator_id=party.operator_id, id=command)
            session = found and await reader.find(
                ChargingSession, operator_id=party.operator_id, id=found.session_id, party_id=party.id
            )
        if found is None or session is None:
            raise NotFound("command")
        to = CommandState.DONE if result == "ACCEPTED" else CommandState.REFUSED
        await self._end(found, to, result)

    async def push_on(self, operator: OperatorId, limit: int = 50) -> int:
        """Send what waits, give up what waited too long; for the worker. How many things it looked at."""
        now = self._clock.now()
        statement = select(_commands).where(
            _commands.c.operator_id == operator,
            or_(
                and_(_commands.c.state.in_((CommandState.NOTED, CommandState.SENDING)), _commands.c.next_at <= now),
                and_(_commands.c.state.in_(_OPEN), _commands.c.expires_at <= now),
            ),
        )
        async with self._database.read() as reader:
            due = await reader.list(ChargerCommand, statement.order_by(_commands.c.next_at).limit(limit))
        for command in due:
            await self._push_on(command, now)
        return len(due) + await self._give_up(operator, now - BEGIN_WITHIN, limit)

    async def _push_on(self, command: ChargerCommand, now: datetime) -> None:
        if command.expires_at <= now:
            await self._end(command, CommandState.REFUSED, "EXPIRED")
        elif command.state is CommandState.NOTED:
            await self.send(command)
        else:
            # Whoever sent it died before writing the answer down. Only a stop is harmless to send twice.
            again = command.kind is CommandKind.STOP
            await self._to(command, CommandState.NOTED if again else CommandState.UNKNOWN, now + PAUSE)

    async def _give_up(self, operator: OperatorId, since: datetime, limit: int) -> int:
        """Free the money of sessions that never began, whatever was answered to their orders."""
        statement = select(_sessions).where(
            _sessions.c.operator_id == operator,
            _sessions.c.status == _Status.PENDING,
            _sessions.c.ocpi_id.is_(None),
            _sessions.c.requested_at <= since,
        )
        async with self._database.read() as reader:
            forgotten = await reader.list(ChargingSession, statement.order_by(_sessions.c.requested_at).limit(limit))
        for session in forgotten:
            failed = await self._forgotten(session)
            if failed is not None:
                await self._feed.publish(failed)
        return len(forgotten)

    @retried
    async def _forgotten(self, session: ChargingSession) -> ChargingSession | None:
        async with self._database.transaction() as tx:
            locked = await tx.find(ChargingSession, lock=True, operator_id=session.operator_id, id=session.id)
            assert locked is not None
            return await self._failed(tx, locked)

    @retried
    async def _claim(self, command: ChargerCommand) -> ChargerCommand | None:
        to = move(LIFE_OF_A_COMMAND, CommandState.NOTED, CommandState.SENDING)
        where = {"operator_id": command.operator_id, "id": command.id, "state": CommandState.NOTED}
        async with self._database.transaction() as tx:
            at = self._clock.now() + LEASE
            return await tx.change(ChargerCommand, where, state=to, tries=command.tries + 1, next_at=at)

    async def _order(self, command: ChargerCommand) -> Start | Stop | None:
        """What is to be sent; None when it has become pointless."""
        async with self._database.read() as reader:
            session = await reader.find(ChargingSession, operator_id=command.operator_id, id=command.session_id)
        if session is None or session.is_final:
            return None
        if command.kind is CommandKind.STOP:
            party = await self._partners.party(session.operator_id, session.party_id)
            return None if session.ocpi_id is None else Stop(command.id, party, session.ocpi_id)
        place = await self._partners.charge_point(session.operator_id, session.connector_id)
        operator = await self._partners.operator(session.operator_id)
        async with self._database.read() as reader:
            token = await self._drivers.by_token(reader, session.operator_id, operator.emsp_role, session.token_uid)
        if token is None or session.authorization_reference is None:
            return None
        return Start(command.id, place, token, session.authorization_reference)

    async def _write(self, command: ChargerCommand, reply: Reply) -> None:
        now = self._clock.now()
        if reply is Reply.REFUSED:
            await self._end(command, CommandState.REFUSED, REFUSED)
        elif reply is Reply.NOT_SENT and command.kind is CommandKind.START:
            await self._end(command, CommandState.REFUSED, NOT_SENT)
        elif reply is Reply.NOT_SENT:
            await self._to(command, CommandState.NOTED, now + PAUSE)
        else:
            to = CommandState.SENT if reply is Reply.ACCEPTED else CommandState.UNKNOWN
            await self._to(command, to, now + LEASE)

    @retried
    async def _to(self, command: ChargerCommand, to: CommandState, next_at: datetime) -> None:
        """A step that leaves the session as it is; an order concluded meanwhile stays concluded."""
        async with self._database.transaction() as tx:
            row = await tx.find(ChargerCommand, lock=True, operator_id=command.operator_id, id=command.id)
            if row is not None and may_move(LIFE_OF_A_COMMAND, row.state, to):
                where = {"operator_id": row.operator_id, "id": row.id}
                await tx.change(ChargerCommand, where, state=move(LIFE_OF_A_COMMAND, row.state, to), next_at=next_at)

    async def _end(self, command: ChargerCommand, to: CommandState, result: str) -> None:
        session = await self._ended(command, to, result)
        if session is not None:
            await self._feed.publish(session)

    @retried
    async def _ended(self, command: ChargerCommand, to: CommandState, result: str) -> ChargingSession | None:
        """Conclude an order; a refused start fails its session and frees its money, a refused stop lets it go on."""
        at = {"operator_id": command.operator_id}
        async with self._database.transaction() as tx:
            # The session first: rows are locked in one order everywhere.
            session = await tx.find(ChargingSession, lock=True, **at, id=command.session_id)
            row = await tx.find(ChargerCommand, lock=True, **at, id=command.id)
            assert session is not None
            assert row is not None
            if not may_move(LIFE_OF_A_COMMAND, row.state, to):
                return None
            state = move(LIFE_OF_A_COMMAND, row.state, to)
            await tx.change(ChargerCommand, {**at, "id": row.id}, state=state, result=result[:64])
            if to is CommandState.DONE:
                return None
            if row.kind is CommandKind.STOP:
                return await self._goes_on(tx, session)
            return await self._failed(tx, session, is_certain=result == NOT_SENT)

    async def _failed(
        self, tx: Transaction, session: ChargingSession, *, is_certain: bool = False
    ) -> ChargingSession | None:
        if session.status is not _Status.PENDING or session.ocpi_id is not None:
            return None
        await self._securing.let_go(tx, session, WORKER)
        status = move(LIFE_OF_A_CHARGING_SESSION, session.status, _Status.FAILED)
        # An order that was never sent was not refused, so the same key may be used again.
        key = None if is_certain else session.idempotency_key
        return await changed(
            tx, session, self._clock.now(), status=status, stop_reason=StopReason.STATION, idempotency_key=key
        )

    async def _goes_on(self, tx: Transaction, session: ChargingSession) -> ChargingSession | None:
        if session.status is not _Status.STOPPING or session.ended_at is not None:
            return None
        status = move(LIFE_OF_A_CHARGING_SESSION, session.status, _Status.CHARGING)
        return await changed(tx, session, self._clock.now(), status=status, stop_reason=None)
