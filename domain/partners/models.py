"""Tables of the places and parties: the operator whose books these are, OCPI parties, locations, EVSEs, connectors."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, minor, state, text
from domain.ids import ConnectorId, EvseId, LocationId, OperatorId, PartyId
from domain.money import Money


class Operator(SQLModel, table=True):
    """A business whose books these are, with its start values: currency, zone of its days, size of a first hold."""

    __tablename__ = "operator"
    operator_id: OperatorId = key()
    name: str = Field(max_length=120)
    country_code: str = Field(max_length=2)
    party_id: str = Field(max_length=3)
    currency: str = Field(max_length=3)
    time_zone: str = Field(max_length=64)
    opening_hold_minor: int = minor()

    @property
    def opening_hold(self) -> Money:
        """Set aside when a session starts, and again each time it nears its end."""
        return Money(self.opening_hold_minor, self.currency)

    @property
    def emsp_role(self) -> tuple[str, str]:
        """Country code and party id under which our drivers' Tokens are issued."""
        return self.country_code, self.party_id


class PartnerRounding(StrEnum):
    """How a party rounds its bills: the whole once, every line, or by cutting off. Only for checking them."""

    DOCUMENT = "document"
    LINE = "line"
    TRUNCATE = "truncate"


class Party(SQLModel, table=True):
    """An OCPI party that we talk to. Its token to us is kept as a keyed hash, ours to it sealed."""

    __tablename__ = "party"
    __table_args__ = (
        UniqueConstraint("operator_id", "country_code", "party_id"),
        UniqueConstraint("token_hash"),
    )
    operator_id: OperatorId = key()
    id: PartyId = key()
    country_code: str = Field(max_length=2)
    party_id: str = Field(max_length=3)
    name: str = Field(max_length=120)
    token_hash: str = Field(max_length=64)
    commands_url: str | None = Field(default=None, max_length=255)
    commands_token_sealed: str | None = text(default=None, nullable=True)
    sends_cdrs: bool = False
    """True if the party makes its own CDRs and we bill by them; false if its sessions are billed by our pricing."""
    tolerance_minor: int = minor(default=1, sa_column_kwargs={"server_default": "1"})
    """By how much its totals may differ from ours."""
    rounding: PartnerRounding = state(
        PartnerRounding, default=PartnerRounding.DOCUMENT, sa_column_kwargs={"server_default": "document"}
    )


class Location(SQLModel, table=True):
    """An OCPI Location: a site with charge points. `time_zone` rules every local time of its tariffs."""

    __tablename__ = "location"
    __table_args__ = (
        UniqueConstraint("operator_id", "party_id", "ocpi_id"),
        ForeignKeyConstraint(["operator_id", "party_id"], ["party.operator_id", "party.id"]),
    )
    operator_id: OperatorId = key()
    id: LocationId = key()
    party_id: PartyId = link()
    ocpi_id: str = Field(max_length=36)
    name: str = Field(max_length=255)
    address: str = Field(max_length=255)
    country: str = Field(max_length=2)
    time_zone: str = Field(max_length=64)
    updated_at: datetime = instant()


class EvseStatus(StrEnum):
    """States of an EVSE, as in OCPI."""

    AVAILABLE = "AVAILABLE"
    BLOCKED = "BLOCKED"
    CHARGING = "CHARGING"
    INOPERATIVE = "INOPERATIVE"
    OUTOFORDER = "OUTOFORDER"
    PLANNED = "PLANNED"
    REMOVED = "REMOVED"
    RESERVED = "RESERVED"
    UNKNOWN = "UNKNOWN"


class Evse(SQLModel, table=True):
    """An OCPI EVSE: serves one vehicle at a time. `evse_id` is printed on it (eMI3)."""

    __tablename__ = "evse"
    __table_args__ = (
        UniqueConstraint("operator_id", "location_id", "uid"),
        ForeignKeyConstraint(["operator_id", "location_id"], ["location.operator_id", "location.id"]),
    )
    operator_id: OperatorId = key()
    id: EvseId = key()
    location_id: LocationId = link()
    uid: str = Field(max_length=36)
    evse_id: str | None = Field(default=None, max_length=48)
    status: EvseStatus = state(EvseStatus)


class EvseMeterKey(SQLModel, table=True):
    """A public key of the meter in an EVSE, DER in hexadecimal digits. Keys of meters that were replaced stay."""

    __tablename__ = "evse_meter_key"
    __table_args__ = (ForeignKeyConstraint(["operator_id", "evse_id"], ["evse.operator_id", "evse.id"]),)
    operator_id: OperatorId = key()
    evse_id: EvseId = key()
    public_key: str = Field(primary_key=True, max_length=512)
    known_since: datetime = instant()


class Connector(SQLModel, table=True):
    """An OCPI Connector: one plug or socket, with the OCPI id of the tariff that applies to it."""

    __tablename__ = "connector"
    __table_args__ = (
        UniqueConstraint("operator_id", "evse_id", "ocpi_id"),
        ForeignKeyConstraint(["operator_id", "evse_id"], ["evse.operator_id", "evse.id"]),
    )
    operator_id: OperatorId = key()
    id: ConnectorId = key()
    evse_id: EvseId = link()
    ocpi_id: str = Field(max_length=36)
    standard: str = Field(max_length=40)
    max_power_w: int
    tariff_ocpi_id: str | None = Field(default=None, max_length=36)
