"""The table of CDRs: the immutable bills of sessions, and what revenue is counted from."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Date, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, minor, state, text, whole
from domain.ids import (
    CdrId,
    ChargingSessionId,
    DocumentId,
    DriverId,
    EvseId,
    LocationId,
    OperatorId,
    PartyId,
    TariffId,
)
from domain.money import Money
from domain.sessions.models import SessionChannel
from domain.tariffs import Cause


class CdrKind(StrEnum):
    """ORIGINAL bills a session; CREDIT takes a CDR back in full; REPLACEMENT follows a credit in part."""

    ORIGINAL = "original"
    CREDIT = "credit"
    REPLACEMENT = "replacement"


class CDR(SQLModel, table=True):
    """An OCPI CDR: never changed, never deleted. Energy in Wh, amounts in minor units, negative on a CREDIT.

    `local_on` and `local_hour_at` are day and hour of the start in the operator's zone, `weekday` (Monday 0) and
    `hour` those of the location: where and when money is made is asked by local time. `content` is JSON: the lines.
    """

    __tablename__ = "cdr"
    __table_args__ = (
        UniqueConstraint("operator_id", "party_id", "ocpi_id"),
        UniqueConstraint("operator_id", "credits_id"),
        Index(
            "cdr_original",
            "operator_id",
            "session_id",
            unique=True,
            sqlite_where=sql("kind = 'original'"),
            postgresql_where=sql("kind = 'original'"),
        ),
        Index("cdr_session", "operator_id", "session_id"),
        Index("cdr_revenue", "operator_id", "currency", "local_on"),
        ForeignKeyConstraint(["operator_id", "session_id"], ["charging_session.operator_id", "charging_session.id"]),
        ForeignKeyConstraint(["operator_id", "document_id"], ["document.operator_id", "document.id"]),
        ForeignKeyConstraint(["operator_id", "credits_id"], ["cdr.operator_id", "cdr.id"]),
    )
    operator_id: OperatorId = key()
    id: CdrId = key()
    session_id: ChargingSessionId = link()
    party_id: PartyId = link()
    ocpi_id: str = Field(max_length=39)
    kind: CdrKind = state(CdrKind)
    credits_id: CdrId | None = link(default=None, nullable=True)
    document_id: DocumentId | None = link(default=None, nullable=True)
    is_declared: bool = False
    """True if the charge point's operator made it, false if our pricing did."""
    driver_id: DriverId | None = link(default=None, nullable=True)
    channel: SessionChannel = state(SessionChannel)
    location_id: LocationId = link()
    evse_id: EvseId = link()
    tariff_id: TariffId = link()
    started_at: datetime = instant()
    ended_at: datetime = instant()
    issued_at: datetime = instant()
    local_on: date = Field(sa_type=Date)
    local_hour_at: datetime = instant()
    weekday: int
    hour: int
    energy_wh: int = whole()
    charging_seconds: int = whole()
    idle_seconds: int = whole()
    country: str = Field(max_length=2)
    currency: str = Field(max_length=3)
    net_minor: int = minor()
    tax_minor: int = minor()
    idle_net_minor: int = minor(default=0)
    idle_tax_minor: int = minor(default=0)
    taxes: str = text(default="[]")
    """JSON: pairs of rate in percent and tax in minor units."""
    content: str = text()

    @property
    def gross(self) -> Money:
        """With tax."""
        return Money(self.net_minor + self.tax_minor, self.currency)


class CdrCheck(SQLModel, table=True):
    """What a check of a CDR found when it was taken; never changed, and no row where there was nothing to check.

    `net_minor` and `tax_minor` are what our engine makes of the same record. `findings` is JSON of `tariffs`'
    RecordFinding, `proof` of `meters`' MeterProof.
    """

    __tablename__ = "cdr_check"
    __table_args__ = (ForeignKeyConstraint(["operator_id", "cdr_id"], ["cdr.operator_id", "cdr.id"]),)
    operator_id: OperatorId = key()
    cdr_id: CdrId = key()
    is_accepted: bool
    cause: Cause | None = state(Cause, default=None, nullable=True)
    net_minor: int | None = minor(default=None, nullable=True)
    tax_minor: int | None = minor(default=None, nullable=True)
    findings: str = text()
    proof: str = text()
    checked_at: datetime = instant()
