"""What a charge point operator tells us about a session and about its bill, read and exact; OCPI stays outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction

from domain.energy import Energy
from domain.meters import SignedData
from domain.money import Money, rounded
from domain.tariffs import ChargingPeriod


class TheirStatus(StrEnum):
    """Session states of OCPI 2.2.1."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    INVALID = "INVALID"
    PENDING = "PENDING"
    RESERVATION = "RESERVATION"


@dataclass(frozen=True, slots=True)
class TokenName:
    """Whose Token started the session: `owner` is (country code, party id)."""

    owner: tuple[str, str]
    uid: str
    contract_id: str | None
    is_app: bool


@dataclass(frozen=True, slots=True)
class SessionPush:
    """A PUT (`replaces`) or a PATCH of a session. None means: not said. `kwh` counts from the start."""

    ocpi_id: str
    replaces: bool
    last_updated: datetime
    status: TheirStatus | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    energy: Energy | None = None
    token: TokenName | None = None
    authorization_reference: str | None = None
    location: str | None = None
    evse_uid: str | None = None
    connector: str | None = None
    periods: tuple[ChargingPeriod, ...] | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """One part of a bill as its maker states it."""

    net: Money
    gross: Money


@dataclass(frozen=True, slots=True)
class CdrPush:
    """The bill of a session by the operator of its charge point. Parts may be silent; the total never is."""

    ocpi_id: str
    session: str
    started_at: datetime
    ended_at: datetime
    energy: Energy
    total: Declared
    energy_cost: Declared | None
    time_cost: Declared | None
    parking_cost: Declared | None
    fixed_cost: Declared | None
    connected_hours: Fraction
    parking_hours: Fraction
    periods: tuple[ChargingPeriod, ...]
    signed: SignedData | None
    content: str
    """Canonical JSON of what was sent; the same id with another content is refused."""

    @property
    def charging_seconds(self) -> int:
        """Connected and not parked."""
        return rounded((self.connected_hours - self.parking_hours) * 3600)

    @property
    def idle_seconds(self) -> int:
        """Connected without charging."""
        return rounded(self.parking_hours * 3600)
