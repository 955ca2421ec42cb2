"""Tables of wallets: the wallet, its holds and what happened to them, and the lines of its statement."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, minor, state, whole
from domain.errors import AmountNotAllowed, CurrencyMismatch, WalletClosed, WalletFrozen
from domain.ids import ChargingSessionId, DriverId, HoldId, OperatorId, PostingId, PromoGrantId, WalletId
from domain.ledger import LARGEST_TRANSFER_MINOR
from domain.money import Money


class Wallet(SQLModel, table=True):
    """Prepaid money of one driver in one currency. `total_minor` = available + held + promo; entries are counted.

    `revision` counts what happened to the wallet itself; what happened to its money is counted by its accounts.
    """

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
    closed_at: datetime | None = instant(default=None, nullable=True)


class WalletEntryKind(StrEnum):
    """Kinds of movement of a wallet's total."""

    TOP_UP = "top_up"
    SESSION_CHARGE = "session_charge"
    REFUND = "refund"
    WITHDRAWAL = "withdrawal"
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSAL = "chargeback_reversal"
    PROMOTION = "promotion"


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
    EXPIRED = "expired"


LIFE_OF_A_HOLD: dict[HoldStatus, frozenset[HoldStatus]] = {
    HoldStatus.OPEN: frozenset({HoldStatus.CAPTURED, HoldStatus.RELEASED, HoldStatus.EXPIRED}),
    HoldStatus.CAPTURED: frozenset(),
    HoldStatus.RELEASED: frozenset(),
    HoldStatus.EXPIRED: frozenset(),
}


def _while(words: str, name: str, column: str, *, unique: bool = False) -> Index:
    """An index over the few rows that are still to be looked at."""
    where = text(f"status = '{words}'")
    return Index(name, "operator_id", column, unique=unique, sqlite_where=where, postgresql_where=where)


class Hold(SQLModel, table=True):
    """Money set aside for one charging session: raised = captured + released + what is still held.

    `promo_minor` is granted credit in what is still held. A hold may stand before its session is known.
    """

    __tablename__ = "hold"
    __table_args__ = (
        UniqueConstraint("operator_id", "authorization_reference"),
        _while("open", "hold_open_session", "charging_session_id", unique=True),
        _while("open", "hold_open_wallet", "wallet_id"),
        _while("open", "hold_due", "expires_at"),
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
    charging_session_id: ChargingSessionId | None = link(default=None, nullable=True)
    authorization_reference: str = Field(max_length=36)
    currency: str = Field(max_length=3)
    raised_minor: int = minor()
    captured_minor: int = minor(default=0)
    released_minor: int = minor(default=0)
    promo_minor: int = minor(default=0)
    status: HoldStatus = state(HoldStatus)
    version: int = whole(default=1)
    opened_at: datetime = instant()
    expires_at: datetime = instant()

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

    @property
    def promo(self) -> Money:
        """Granted credit in what is still held."""
        return Money(self.promo_minor, self.currency)


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
    posting_id: PostingId | None = link(default=None, nullable=True)
    at: datetime = instant()


class PromoStatus(StrEnum):
    """States of granted credit."""

    ACTIVE = "active"
    LAPSED = "lapsed"


LIFE_OF_A_GRANT: dict[PromoStatus, frozenset[PromoStatus]] = {
    PromoStatus.ACTIVE: frozenset({PromoStatus.LAPSED}),
    PromoStatus.LAPSED: frozenset(),
}


class PromoGrant(SQLModel, table=True):
    """Credit that was given to a driver, spent before money and in the order in which it runs out."""

    __tablename__ = "promo_grant"
    __table_args__ = (
        UniqueConstraint("operator_id", "wallet_id", "idempotency_key"),
        _while("active", "promo_grant_due", "expires_at"),
        ForeignKeyConstraint(["operator_id", "wallet_id"], ["wallet.operator_id", "wallet.id"]),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint("lapsed_minor BETWEEN 0 AND amount_minor", name="lapsed"),
    )
    operator_id: OperatorId = key()
    id: PromoGrantId = key()
    wallet_id: WalletId = link()
    idempotency_key: str = Field(max_length=64)
    amount_minor: int = minor()
    currency: str = Field(max_length=3)
    reason: str = Field(max_length=200)
    status: PromoStatus = state(PromoStatus)
    granted_at: datetime = instant()
    expires_at: datetime = instant()
    lapsed_minor: int = minor(default=0)

    @property
    def amount(self) -> Money:
        """Given."""
        return Money(self.amount_minor, self.currency)


def usable(wallet: Wallet) -> Wallet:
    """A wallet in which new wishes may be made. Raises WalletClosed, WalletFrozen."""
    if wallet.closed_at is not None:
        raise WalletClosed
    if wallet.frozen_at is not None:
        raise WalletFrozen
    return wallet


def movable(amount: Money, currency: str, least: int = 1) -> Money:
    """An amount that may move in a wallet of this currency. Raises CurrencyMismatch, AmountNotAllowed."""
    if amount.currency != currency:
        raise CurrencyMismatch(currency)
    if not least <= amount.minor <= LARGEST_TRANSFER_MINOR:
        raise AmountNotAllowed(Money(least, currency), Money(LARGEST_TRANSFER_MINOR, currency))
    return amount
