"""What we ask of a charge point's operator, and the four ways it can answer at once; the result comes later."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.drivers import Token
from domain.partners import ChargePoint, Party


class Reply(StrEnum):
    """ACCEPTED: passed on to the charge point. UNKNOWN: it may have been. NOT_SENT: it certainly was not."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class Start:
    """START_SESSION of OCPI."""

    command: UUID
    place: ChargePoint
    token: Token
    authorization_reference: str


@dataclass(frozen=True, slots=True)
class Stop:
    """STOP_SESSION of OCPI."""

    command: UUID
    party: Party
    session: str


class ChargerControl(Protocol):
    """A way to charge points. Every call ends within seconds and never raises."""

    async def send(self, order: Start | Stop) -> Reply:
        """Pass an order on; its result is told to `Commands.conclude`."""
        ...
