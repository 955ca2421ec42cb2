"""Whether a Token charged in two places at once, or one charging was billed twice: found when a bill is made."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import RowMapping, select

from domain.columns import table_of
from domain.database import Reader
from domain.sessions.models import ChargingSession
from domain.tariffs import Level, RecordCode, RecordFinding

_sessions = table_of(ChargingSession)
_LONGEST = timedelta(days=7)
"""So long before the end of another session it is looked for by when it was asked for."""
_MOST = 10


async def overlaps(reader: Reader, session: ChargingSession) -> list[RecordFinding]:
    """Other sessions of the Token of one of our drivers at the same time; a Token of others is theirs to watch."""
    if session.driver_id is None or session.started_at is None or session.ended_at is None:
        return []
    its = _sessions.c
    statement = (
        select(its.ocpi_id, its.evse_id, its.started_at, its.ended_at, its.energy_wh)
        .where(
            its.operator_id == session.operator_id,
            its.driver_id == session.driver_id,
            its.requested_at > session.started_at - _LONGEST,
            its.requested_at < session.ended_at,
            its.id != session.id,
            its.token_uid == session.token_uid,
            its.started_at < session.ended_at,
            its.ended_at > session.started_at,
        )
        .order_by(its.requested_at)
        .limit(_MOST)
    )
    return [_finding(session, row) for row in await reader.rows(statement)]


def _finding(session: ChargingSession, other: RowMapping) -> RecordFinding:
    ours = (session.evse_id, session.started_at, session.ended_at, session.energy_wh)
    if ours == (other["evse_id"], other["started_at"], other["ended_at"], other["energy_wh"]):
        message = f"Session {other['ocpi_id']} has the same place, times and energy: one of the two bills is too many."
        return RecordFinding(RecordCode.DUPLICATE_CDR, Level.WARNING, message, session.gross)
    message = f"The same Token was charging in session {other['ocpi_id']} at the same time."
    return RecordFinding(RecordCode.OVERLAPPING_SESSION, Level.WARNING, message)
