"""Tables of payments: the wish, the payment at Adyen, each request we make, and every fact we are told."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, minor, state, text, whole
from domain.ids import OperatorId, PaymentId, TopUpId, WalletId
from domain.money import Money


class TopUpStatus(StrEnum):
    """States of a top-up. AUTHORISED: the money is in the wallet. REFUSED and EXPIRED can still become it."""

    INITIATED = "initiated"
    ACTION_REQUIRED = "action_required"
    PENDING = "pending"
    AUTHORISED = "authorised"
    REFUSED = "refused"
    EXPIRED = "expired"


LIFE_OF_A_TOP_UP: dict[TopUpStatus, frozenset[TopUpStatus]] = {
    TopUpStatus.INITIATED: frozenset(
        {
            TopUpStatus.ACTION_REQUIRED,
            TopUpStatus.PENDING,
            TopUpStatus.AUTHORISED,
            TopUpStatus.REFUSED,
            TopUpStatus.EXPIRED,
        }
    ),
    TopUpStatus.ACTION_REQUIRED: frozenset({TopUpStatus.AUTHORISED, TopUpStatus.REFUSED, TopUpStatus.EXPIRED}),
    TopUpStatus.PENDING: frozenset(
        {TopUpStatus.ACTION_REQUIRED, TopUpStatus.AUTHORISED, TopUpStatus.REFUSED, TopUpStatus.EXPIRED}
    ),
    TopUpStatus.REFUSED: frozenset({TopUpStatus.AUTHORISED}),
    # A refusal is Adyen's word, expiry may be our clock's: whichever comes first, the end is the same.
    TopUpStatus.EXPIRED: frozenset({TopUpStatus.AUTHORISED, TopUpStatus.REFUSED}),
    TopUpStatus.AUTHORISED: frozenset(),
}


UNFINISHED = (TopUpStatus.INITIATED, TopUpStatus.ACTION_REQUIRED, TopUpStatus.PENDING)
"""States of a top-up whose outcome is still to come."""


class TopUp(SQLModel, table=True):
    """A driver's wish to put money into a wallet; the same key is the same wish, for ever."""

    __tablename__ = "top_up"
    __table_args__ = (
        UniqueConstraint("operator_id", "wallet_id", "idempotency_key"),
        UniqueConstraint("operator_id", "payment_id"),
        Index("top_up_status", "operator_id", "status", "expires_at"),
        ForeignKeyConstraint(["operator_id", "wallet_id"], ["wallet.operator_id", "wallet.id"]),
        ForeignKeyConstraint(["operator_id", "payment_id"], ["payment.operator_id", "payment.id"]),
        CheckConstraint("amount_minor > 0", name="amount"),
    )
    operator_id: OperatorId = key()
    id: TopUpId = key()
    wallet_id: WalletId = link()
    payment_id: PaymentId = link()
    idempotency_key: str = Field(max_length=64)
    fingerprint: str = Field(max_length=64)
    amount_minor: int = minor()
    currency: str = Field(max_length=3)
    status: TopUpStatus = state(TopUpStatus)
    requested_at: datetime = instant()
    expires_at: datetime = instant()
    credited_at: datetime | None = instant(default=None, nullable=True)

    @property
    def amount(self) -> Money:
        """Asked for."""
        return Money(self.amount_minor, self.currency)


class Payment(SQLModel, table=True):
    """One merchant reference at Adyen, from the wish to the last fact about it. The sums are derived from facts."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("operator_id", "merchant_reference"),
        ForeignKeyConstraint(["operator_id", "wallet_id"], ["wallet.operator_id", "wallet.id"]),
    )
    operator_id: OperatorId = key()
    id: PaymentId = key()
    merchant_reference: str = Field(max_length=80)
    shopper_reference: str = Field(max_length=80)
    wallet_id: WalletId = link()
    amount_minor: int = minor()
    currency: str = Field(max_length=3)
    country: str = Field(max_length=2)
    return_url: str = Field(max_length=1024)
    expires_at: datetime = instant()
    checkout_session_id: str | None = Field(default=None, max_length=80)
    checkout_url: str | None = text(default=None, nullable=True)
    psp_reference: str | None = Field(default=None, max_length=64)
    position_version: int = whole(default=0)
    captured_minor: int = minor(default=0)

    @property
    def amount(self) -> Money:
        """Asked for."""
        return Money(self.amount_minor, self.currency)


class AttemptState(StrEnum):
    """States of a request to Adyen.

    UNKNOWN: nobody is told "failed", and no new key is used, before it is known. VOID: no answer is needed any more.
    """

    NOTED = "noted"
    SENT = "sent"
    ANSWERED = "answered"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    VOID = "void"


LIFE_OF_AN_ATTEMPT: dict[AttemptState, frozenset[AttemptState]] = {
    AttemptState.NOTED: frozenset({AttemptState.SENT, AttemptState.VOID}),
    AttemptState.SENT: frozenset(
        {AttemptState.NOTED, AttemptState.ANSWERED, AttemptState.REFUSED, AttemptState.UNKNOWN}
    ),
    AttemptState.UNKNOWN: frozenset({AttemptState.SENT, AttemptState.VOID}),
    AttemptState.ANSWERED: frozenset(),
    AttemptState.REFUSED: frozenset(),
    AttemptState.VOID: frozenset(),
}


class PaymentAttempt(SQLModel, table=True):
    """One request to Adyen. Its id is a random UUID (version 4) and is the `Idempotency-Key` of every try."""

    __tablename__ = "payment_attempt"
    __table_args__ = (
        UniqueConstraint("operator_id", "payment_id", "operation", "number"),
        Index("payment_attempt_due", "operator_id", "state", "next_at"),
        ForeignKeyConstraint(["operator_id", "payment_id"], ["payment.operator_id", "payment.id"]),
    )
    operator_id: OperatorId = key()
    id: UUID = key()
    payment_id: PaymentId = link()
    operation: str = Field(max_length=16)
    number: int = 1
    state: AttemptState = state(AttemptState)
    tries: int = 0
    next_at: datetime = instant()
    error_code: str | None = Field(default=None, max_length=64)


class PspDelivery(SQLModel, table=True):
    """One webhook request, as it came; never changed."""

    __tablename__ = "psp_delivery"
    operator_id: OperatorId = key()
    id: UUID = key()
    received_at: datetime = instant()
    raw: bytes = Field(sa_type=LargeBinary)
    sha256: str = Field(max_length=64)


class FactState(StrEnum):
    """What became of a fact.

    PARKED: we know of no such payment yet. QUARANTINED: signed, but it contradicts our row; a person looks.
    """

    NEW = "new"
    CONSIDERED = "considered"
    PARKED = "parked"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


class PspFact(SQLModel, table=True):
    """Something Adyen told us and signed. `unsigned` is kept for people; money code never reads it."""

    __tablename__ = "psp_fact"
    __table_args__ = (
        UniqueConstraint("operator_id", "item_sha256"),
        Index("psp_fact_state", "operator_id", "state", "id"),
        Index("psp_fact_payment", "operator_id", "payment_id"),
    )
    operator_id: OperatorId = key()
    id: UUID = key()
    delivery_id: UUID = link()
    item_sha256: str = Field(max_length=64)
    event_code: str = Field(max_length=64)
    success: bool
    psp_reference: str = Field(max_length=64)
    original_reference: str | None = Field(default=None, max_length=64)
    merchant_account: str = Field(max_length=80)
    merchant_reference: str | None = Field(default=None, max_length=128)
    value_sent: str | None = Field(default=None, max_length=32)
    amount_minor: int | None = minor(default=None, nullable=True)
    currency: str | None = Field(default=None, max_length=3)
    unsigned: str = text()
    received_at: datetime = instant()
    payment_id: PaymentId | None = link(default=None, nullable=True)
    state: FactState = state(FactState)
    reason: str | None = Field(default=None, max_length=200)
    tries: int = 0
