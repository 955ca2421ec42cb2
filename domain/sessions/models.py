"""Tables of charging sessions: the session, every push about it, and the commands we send to its charge point."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, minor, state, text, whole
from domain.ids import (
    ChargingSessionId,
    ConnectorId,
    DriverId,
    EvseId,
    LocationId,
    OperatorId,
    PartyId,
    QuoteId,
    TariffId,
    WalletId,
)
from domain.money import Money


class ChargingSessionStatus(StrEnum):
    """States of a session; COMPLETED and FAILED are final."""

    PENDING = "pending"
    CHARGING = "charging"
    SUSPENDED = "suspended"
    PARKED = "parked"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"


_Status = ChargingSessionStatus
_RUNNING = frozenset({_Status.CHARGING, _Status.SUSPENDED, _Status.PARKED})
_ENDS = frozenset({_Status.STOPPING, _Status.COMPLETED, _Status.FAILED})
LIFE_OF_A_CHARGING_SESSION: dict[ChargingSessionStatus, frozenset[ChargingSessionStatus]] = {
    _Status.PENDING: _RUNNING | _ENDS,
    _Status.CHARGING: _RUNNING | _ENDS,
    _Status.SUSPENDED: _RUNNING | _ENDS,
    _Status.PARKED: _RUNNING | _ENDS,
    # The charge point may refuse to stop.
    _Status.STOPPING: _RUNNING | frozenset({_Status.COMPLETED, _Status.FAILED}),
    _Status.COMPLETED: frozenset(),
    _Status.FAILED: frozenset(),
}
FINAL = frozenset({_Status.COMPLETED, _Status.FAILED})


class SessionChannel(StrEnum):
    """How a session was started."""

    APP = "app"
    RFID = "rfid"
    ROAMING = "roaming"
    AD_HOC = "ad_hoc"


class StopReason(StrEnum):
    """Why a session ended."""

    DRIVER = "driver"
    VEHICLE = "vehicle"
    BUDGET_REACHED = "budget_reached"
    FUNDS_EXHAUSTED = "funds_exhausted"
    STATION = "station"
    FAULT = "fault"
    STALLED = "stalled"


class ChargingSession(SQLModel, table=True):
    """One charging process. The row is the whole present state; `revision` grows with every change.

    `locked_tariffs` maps OCPI tariff ids to the editions this session is billed by; `lines` are the cost lines of
    `sessions.costs`; `ocpi_last_updated` is the charge point's own clock. Energy is in Wh, amounts in minor units.
    """

    __tablename__ = "charging_session"
    __table_args__ = (
        UniqueConstraint("operator_id", "party_id", "ocpi_id"),
        UniqueConstraint("operator_id", "authorization_reference"),
        UniqueConstraint("operator_id", "driver_id", "idempotency_key"),
        Index("charging_session_driver", "operator_id", "driver_id", "requested_at", "id"),
        Index("charging_session_evse", "operator_id", "evse_id", "status"),
        Index(
            "charging_session_pending",
            "operator_id",
            "requested_at",
            sqlite_where=sql("status = 'pending'"),
            postgresql_where=sql("status = 'pending'"),
        ),
        ForeignKeyConstraint(["operator_id", "party_id"], ["party.operator_id", "party.id"]),
        ForeignKeyConstraint(["operator_id", "connector_id"], ["connector.operator_id", "connector.id"]),
        ForeignKeyConstraint(["operator_id", "tariff_id"], ["tariff_edition.operator_id", "tariff_edition.id"]),
        ForeignKeyConstraint(["operator_id", "driver_id"], ["driver.operator_id", "driver.id"]),
        ForeignKeyConstraint(["operator_id", "wallet_id"], ["wallet.operator_id", "wallet.id"]),
        CheckConstraint("energy_wh >= 0", name="energy"),
        CheckConstraint("accrued_net_minor <= net_minor OR net_minor = 0", name="accrued"),
    )
    operator_id: OperatorId = key()
    id: ChargingSessionId = key()
    revision: int = whole(default=1)
    party_id: PartyId = link()
    ocpi_id: str | None = Field(default=None, max_length=36)
    authorization_reference: str | None = Field(default=None, max_length=36)
    idempotency_key: str | None = Field(default=None, max_length=64)
    channel: SessionChannel = state(SessionChannel)
    driver_id: DriverId | None = link(default=None, nullable=True)
    wallet_id: WalletId | None = link(default=None, nullable=True)
    quote_id: QuoteId | None = link(default=None, nullable=True)
    token_party: str = Field(max_length=6)
    token_uid: str = Field(max_length=36)
    contract_id: str | None = Field(default=None, max_length=36)
    location_id: LocationId = link()
    evse_id: EvseId = link()
    connector_id: ConnectorId = link()
    tariff_id: TariffId = link()
    locked_tariffs: str = text(default="{}")
    time_zone: str = Field(max_length=64)
    country: str = Field(max_length=2)
    status: ChargingSessionStatus = state(ChargingSessionStatus)
    stop_reason: StopReason | None = state(StopReason, default=None, nullable=True)
    is_exhausted: bool = False
    requested_at: datetime = instant()
    started_at: datetime | None = instant(default=None, nullable=True)
    ended_at: datetime | None = instant(default=None, nullable=True)
    metered_at: datetime = instant()
    readings: int = 0
    energy_wh: int = whole(default=0)
    power_w: int | None = Field(default=None)
    charging_seconds: int = whole(default=0)
    idle_seconds: int = whole(default=0)
    paused_seconds: int = whole(default=0, sa_column_kwargs={"server_default": "0"})
    currency: str = Field(max_length=3)
    accrued_net_minor: int = minor(default=0)
    accrued_tax_minor: int = minor(default=0)
    net_minor: int = minor(default=0)
    tax_minor: int = minor(default=0)
    lines: str = text(default="[]")
    ocpi_last_updated: datetime | None = instant(default=None, nullable=True)
    updated_at: datetime = instant()

    @property
    def gross(self) -> Money:
        """What the bill would say if it ended now, and says once COMPLETED."""
        return Money(self.net_minor + self.tax_minor, self.currency)

    @property
    def is_final(self) -> bool:
        """Whether nothing follows any more."""
        return self.status in FINAL


class MeterReading(SQLModel, table=True):
    """One accepted push about a session: what its operator said, never changed. Numbers run from 1, without gaps.

    `periods` is JSON: the charging periods of OCPI it carried, or null; `replaces` tells a PUT, which says anew what
    all periods are, from a PATCH, which adds some.
    """

    __tablename__ = "meter_reading"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "session_id"], ["charging_session.operator_id", "charging_session.id"]),
        CheckConstraint("energy_wh >= 0", name="energy"),
    )
    operator_id: OperatorId = key()
    session_id: ChargingSessionId = key()
    number: int = Field(primary_key=True)
    at: datetime = instant()
    energy_wh: int = whole()
    status: str = Field(max_length=16)
    replaces: bool
    periods: str | None = text(default=None, nullable=True)
    received_at: datetime = instant()


class CommandKind(StrEnum):
    """What a charge point is asked to do."""

    START = "start"
    STOP = "stop"


class CommandState(StrEnum):
    """States of a command. SENT: the operator took it; its result comes later. UNKNOWN: it may have arrived."""

    NOTED = "noted"
    SENDING = "sending"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


_C = CommandState
LIFE_OF_A_COMMAND: dict[CommandState, frozenset[CommandState]] = {
    # Its result may be faster than our own note that it was sent.
    _C.NOTED: frozenset({_C.SENDING, _C.DONE, _C.REFUSED}),
    _C.SENDING: frozenset({_C.NOTED, _C.SENT, _C.DONE, _C.REFUSED, _C.UNKNOWN}),
    _C.SENT: frozenset({_C.DONE, _C.REFUSED, _C.UNKNOWN}),
    _C.UNKNOWN: frozenset({_C.DONE, _C.REFUSED}),
    _C.DONE: frozenset(),
    _C.REFUSED: frozenset(),
}


class ChargerCommand(SQLModel, table=True):
    """A START_SESSION or STOP_SESSION of OCPI; its id ends the response URL. Sent again until `expires_at`."""

    __tablename__ = "charger_command"
    __table_args__ = (
        Index("charger_command_due", "operator_id", "state", "next_at"),
        Index("charger_command_session", "operator_id", "session_id"),
        ForeignKeyConstraint(["operator_id", "session_id"], ["charging_session.operator_id", "charging_session.id"]),
    )
    operator_id: OperatorId = key()
    id: UUID = key()
    session_id: ChargingSessionId = link()
    kind: CommandKind = state(CommandKind)
    state: CommandState = state(CommandState)
    tries: int = 0
    next_at: datetime = instant()
    expires_at: datetime = instant()
    result: str | None = Field(default=None, max_length=64)


class Quote(SQLModel, table=True):
    """A price promised before the start: `content` and `ceilings` are what was shown, as JSON."""

    __tablename__ = "quote"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "connector_id"], ["connector.operator_id", "connector.id"]),
        ForeignKeyConstraint(["operator_id", "tariff_id"], ["tariff_edition.operator_id", "tariff_edition.id"]),
    )
    operator_id: OperatorId = key()
    id: QuoteId = key()
    driver_id: DriverId = link()
    connector_id: ConnectorId = link()
    tariff_id: TariffId = link()
    currency: str = Field(max_length=3)
    hold_minor: int = minor()
    estimate_net_minor: int | None = minor(default=None, nullable=True)
    estimate_tax_minor: int | None = minor(default=None, nullable=True)
    content: str = text()
    ceilings: str = text(default="[]", sa_column_kwargs={"server_default": "[]"})
    quoted_at: datetime = instant()
    valid_until: datetime = instant()

    @property
    def hold(self) -> Money:
        """Set aside at the start."""
        return Money(self.hold_minor, self.currency)
