"""States of a session, and what comes of them into a mailbox."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

from api.redis_feed import RedisFeed
from domain.ids import ChargingSessionId, ConnectorId, EvseId, LocationId, OperatorId, PartyId, TariffId
from domain.sessions import ChargingSession, ChargingSessionStatus, Mailbox, SessionChannel, StopReason

NOW = datetime(2026, 6, 1, 12, 0, 0, 123000, tzinfo=UTC)


def charging(session: ChargingSessionId, revision: int = 1) -> ChargingSession:
    return ChargingSession(
        operator_id=OperatorId(uuid.UUID(int=1)),
        id=session,
        revision=revision,
        party_id=PartyId(uuid.UUID(int=2)),
        channel=SessionChannel.ROAMING,
        token_party="DE*TWA",
        token_uid="0401",
        location_id=LocationId(uuid.UUID(int=3)),
        evse_id=EvseId(uuid.UUID(int=4)),
        connector_id=ConnectorId(uuid.UUID(int=5)),
        tariff_id=TariffId(uuid.UUID(int=6)),
        time_zone="Europe/Berlin",
        country="DE",
        status=ChargingSessionStatus.SUSPENDED,
        stop_reason=StopReason.FUNDS_EXHAUSTED,
        requested_at=NOW,
        started_at=NOW,
        metered_at=NOW,
        energy_wh=2**40,
        currency="EUR",
        net_minor=-5,
        lines='[{"é": "\u2028"}]',
        updated_at=NOW,
    )


async def taken(mailbox: Mailbox, seconds: float = 5) -> ChargingSession | None:
    async with asyncio.timeout(seconds):
        return await mailbox.take()


async def states(mailbox: Mailbox, seconds: float = 5) -> ChargingSession:
    """The next state; whatever asks to look is passed over."""
    async with asyncio.timeout(seconds):
        while (state := await mailbox.take()) is None:
            pass
        return state


def is_heard(feed: RedisFeed, session: ChargingSessionId) -> bool:
    """Whether Redis has promised this process the states of the session."""
    return feed._channels[f"tallywatt:session:{session}"].subscribed.is_set()


async def sent(feed: RedisFeed) -> None:
    """Wait until nothing is left to be sent."""
    async with asyncio.timeout(5):
        await feed._emptied.wait()


async def nothing_comes(mailbox: Mailbox) -> bool:
    try:
        await taken(mailbox, 0.3)
    except TimeoutError:
        return True
    return False
