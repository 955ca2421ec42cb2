"""Tables of tariffs: every edition ever sent, never changed, and which edition of a tariff is on offer now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, text
from domain.ids import OperatorId, PartyId, TariffId


class TariffEdition(SQLModel, table=True):
    """One content of an OCPI Tariff, frozen: `content` is canonical JSON, `sha256` its name."""

    __tablename__ = "tariff_edition"
    __table_args__ = (
        UniqueConstraint("operator_id", "owner_id", "ocpi_id", "sha256"),
        ForeignKeyConstraint(["operator_id", "owner_id"], ["party.operator_id", "party.id"]),
    )
    operator_id: OperatorId = key()
    id: TariffId = key()
    owner_id: PartyId = link()
    ocpi_id: str = Field(max_length=36)
    sha256: str = Field(max_length=71)
    currency: str = Field(max_length=3)
    content: str = text()
    kept_at: datetime = instant()


class PublishedTariff(SQLModel, table=True):
    """The edition that a tariff id of a party means today; sessions keep the one they started with."""

    __tablename__ = "published_tariff"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "owner_id"], ["party.operator_id", "party.id"]),
        ForeignKeyConstraint(["operator_id", "edition_id"], ["tariff_edition.operator_id", "tariff_edition.id"]),
    )
    operator_id: OperatorId = key()
    owner_id: PartyId = key()
    ocpi_id: str = Field(primary_key=True, max_length=36)
    edition_id: TariffId = link()
    published_at: datetime = instant()
