"""Tables of wallets: the wallet, its holds and what happened to them, and the lines of its statement."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, minor, state, whole
from domain.ids import ChargingSessionId, DriverId, HoldId, OperatorId, PostingId, WalletId
from domain.money import Money


class Wallet(SQLModel, table=True):
    """Prepaid money of one driver in one currency. `total_minor` = available + held + promo; entries are counted."""

    __tablename__ = "wallet"
    __table_args__ = (
        UniqueConstraint("operator_id", "driver_id", "currency"),
        ForeignKeyConstraint(["operator_id", "driver_id"], ["driver.operator_id", "driver.id"]),
    )
    operator_id: OperatorId = key()
    id: WalletId = key()
    driver_id: DriverId = link()
    currency: str = Field(max_length=3)
    revision: int = whole(default=1)
    entries: int = whole(default=0)
    total_minor: int = minor(default=0)
    frozen_at: datetime | None = instant(default=None, nullable=True)
    frozen_reason: str | None = Field(default=None, max_length=200)
    opened_at: datetime = instant()


class WalletEntryKind(StrEnum):
    """Kinds of movement of a wallet's total."""

    TOP_UP = "top_up"
    SESSION_CHARGE = "session_charge"
    REFUND = "refund"


class WalletEntry(SQLModel, table=True):
    """One line of the statement: a posting that changed the total. `sequence` runs 1, 2, 3 … without gaps."""

    __tablename__ = "wallet_entry"
    __table_args__ = (
        UniqueConstraint("operator_id", "wallet_id", "posting_id"),
        ForeignKeyConstraint(["operator_id", "wallet_id"], ["wallet.operator_id", "wallet.id"]),
        ForeignKeyConstraint(["operator_id", "posting_id"], ["ledger_posting.operator_id", "ledger_posting.id"]),
        CheckConstraint("amount_minor <> 0", name="amount"),
    )
    operator_id: OperatorId = key()
    wallet_id: WalletId = key()
    sequence: int = Field(primary_key=True)
    posting_id: PostingId = link()
    kind: WalletEntryKind = state(WalletEntryKind)
    subject: str = Field(max_length=80)
    amount_minor: int = minor()
    balance_after_minor: int = minor()
    posted_at: datetime = instant()


class HoldStatus(StrEnum):
    """States of a hold; all but OPEN are final."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"


LIFE_OF_A_HOLD: dict[HoldStatus, frozenset[HoldStatus]] = {
    HoldStatus.OPEN: frozenset({HoldStatus.CAPTURED, HoldStatus.RELEASED}),
    HoldStatus.CAPTURED: frozenset(),
    HoldStatus.RELEASED: frozenset(),
}


class Hold(SQLModel, table=True):
    """Money set aside for one charging session: raised = captured + released + what is still held."""

    __tablename__ = "hold"
    __table_args__ = (
        UniqueConstraint("operator_id", "authorization_reference"),
        Index(
            "hold_open_session",
            "operator_id",
            "charging_session_id",
            unique=True,
            sqlite_where=text("status = 'open'"),
            postgresql_where=text("status = 'open'"),
        ),
        Index("hold_wallet", "operator_id", "wallet_id", "status"),
        ForeignKeyConstraint(["operator_id", "wallet_id"], ["wallet.operator_id", "wallet.id"]),
        CheckConstraint(
            "raised_minor >= 0 AND captured_minor >= 0 AND released_minor >= 0 AND promo_minor >= 0", name="positive"
        ),
        CheckConstraint("captured_minor + released_minor <= raised_minor", name="rest"),
        CheckConstraint("status = 'open' OR captured_minor + released_minor = raised_minor", name="closed"),
    )
    operator_id: OperatorId = key()
    id: HoldId = key()
    wallet_id: WalletId = link()
    charging_session_id: ChargingSessionId = link()
    authorization_reference: str = Field(max_length=36)
    currency: str = Field(max_length=3)
    raised_minor: int = minor()
    captured_minor: int = minor(default=0)
    released_minor: int = minor(default=0)
    promo_minor: int = minor(default=0)
    status: HoldStatus = state(HoldStatus)
    version: int = whole(default=1)
    opened_at: datetime = instant()

    @property
    def amount(self) -> Money:
        """Set aside in all, raises included."""
        return Money(self.raised_minor, self.currency)

    @property
    def captured(self) -> Money:
        """Taken as payment."""
        return Money(self.captured_minor, self.currency)

    @property
    def released(self) -> Money:
        """Given back."""
        return Money(self.released_minor, self.currency)

    @property
    def remaining(self) -> Money:
        """Still held."""
        return Money(self.raised_minor - self.captured_minor - self.released_minor, self.currency)


class HoldEvent(SQLModel, table=True):
    """One step in the life of a hold; never changed."""

    __tablename__ = "hold_event"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "hold_id"], ["hold.operator_id", "hold.id"]),
        CheckConstraint("amount_minor >= 0", name="amount"),
    )
    operator_id: OperatorId = key()
    hold_id: HoldId = key()
    number: int = Field(primary_key=True)
    kind: str = Field(max_length=16)
    amount_minor: int = minor()
    at: datetime = instant()
