"""Tables of drivers: the person, and the OCPI Token that identifies them at a charge point."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, state
from domain.ids import DriverId, OperatorId, TokenId


class Driver(SQLModel, table=True):
    """A person who charges vehicles. `subject` is who the issuer of their access token says they are."""

    __tablename__ = "driver"
    __table_args__ = (UniqueConstraint("operator_id", "subject"),)
    operator_id: OperatorId = key()
    id: DriverId = key()
    subject: str = Field(max_length=255)
    display_name: str = Field(max_length=120)
    locale: str = Field(default="en", max_length=35)
    enrolled_at: datetime = instant()


class TokenKind(StrEnum):
    """Media of a Token, as in OCPI."""

    APP_USER = "APP_USER"
    RFID = "RFID"
    AD_HOC_USER = "AD_HOC_USER"
    OTHER = "OTHER"


class Token(SQLModel, table=True):
    """An OCPI Token of one of our drivers: owner, uid and kind name it."""

    __tablename__ = "token"
    __table_args__ = (
        UniqueConstraint("operator_id", "country_code", "party_id", "uid", "kind"),
        ForeignKeyConstraint(["operator_id", "driver_id"], ["driver.operator_id", "driver.id"]),
    )
    operator_id: OperatorId = key()
    id: TokenId = key()
    driver_id: DriverId = link()
    country_code: str = Field(max_length=2)
    party_id: str = Field(max_length=3)
    uid: str = Field(max_length=36)
    kind: TokenKind = state(TokenKind)
    contract_id: str = Field(max_length=36)
    is_valid: bool = True
