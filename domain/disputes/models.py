"""Tables of disputes: the complaint, and every step of its life."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, minor, state, text, whole
from domain.ids import CdrId, ChargingSessionId, DisputeId, DocumentId, DriverId, OperatorId
from domain.money import Money


class DisputeStatus(StrEnum):
    """States of a dispute."""

    SUBMITTED = "submitted"
    TRIAGE = "triage"
    UNDER_REVIEW = "under_review"
    UPHELD = "upheld"
    PARTLY_UPHELD = "partly_upheld"
    REJECTED = "rejected"


_Status = DisputeStatus
_DECIDED = frozenset({_Status.UPHELD, _Status.PARTLY_UPHELD, _Status.REJECTED})
LIFE_OF_A_DISPUTE: dict[DisputeStatus, frozenset[DisputeStatus]] = {
    _Status.SUBMITTED: frozenset({_Status.TRIAGE}),
    _Status.TRIAGE: frozenset({_Status.UNDER_REVIEW}),
    _Status.UNDER_REVIEW: _DECIDED,
    _Status.UPHELD: frozenset(),
    _Status.PARTLY_UPHELD: frozenset(),
    _Status.REJECTED: frozenset(),
}


class DisputeReason(StrEnum):
    """Why a bill is disputed."""

    NOT_MY_SESSION = "not_my_session"
    CHARGED_TWICE = "charged_twice"
    NEVER_STARTED = "never_started"
    DID_NOT_STOP = "did_not_stop"
    WRONG_ENERGY = "wrong_energy"
    WRONG_PRICE = "wrong_price"
    IDLE_FEE_UNJUSTIFIED = "idle_fee_unjustified"
    START_FEE_REPEATED = "start_fee_repeated"
    WRONG_VAT_OR_RECEIPT = "wrong_vat_or_receipt"
    PROMOTION_NOT_APPLIED = "promotion_not_applied"
    ROAMING_PRICE = "roaming_price"
    OTHER = "other"


class Actor(StrEnum):
    """Who acts in a dispute."""

    DRIVER = "driver"
    STAFF = "staff"
    SYSTEM = "system"


class Dispute(SQLModel, table=True):
    """A driver against the bill of a session: one a bill. `findings` is JSON of what the check found."""

    __tablename__ = "dispute"
    __table_args__ = (
        UniqueConstraint("operator_id", "cdr_id"),
        UniqueConstraint("operator_id", "driver_id", "idempotency_key"),
        Index("dispute_driver", "operator_id", "driver_id", "opened_at", "id"),
        Index("dispute_queue", "operator_id", "status", "opened_at", "id"),
        Index("dispute_session", "operator_id", "session_id"),
        ForeignKeyConstraint(["operator_id", "driver_id"], ["driver.operator_id", "driver.id"]),
        ForeignKeyConstraint(["operator_id", "session_id"], ["charging_session.operator_id", "charging_session.id"]),
        ForeignKeyConstraint(["operator_id", "cdr_id"], ["cdr.operator_id", "cdr.id"]),
        ForeignKeyConstraint(["operator_id", "credit_note_id"], ["document.operator_id", "document.id"]),
        CheckConstraint("disputed_minor > 0", name="disputed"),
        CheckConstraint("refund_minor IS NULL OR refund_minor BETWEEN 1 AND disputed_minor", name="refund"),
    )
    operator_id: OperatorId = key()
    id: DisputeId = key()
    revision: int = whole(default=1)
    reference: str = Field(max_length=16)
    driver_id: DriverId = link()
    session_id: ChargingSessionId = link()
    cdr_id: CdrId = link()
    idempotency_key: str = Field(max_length=64)
    fingerprint: str = Field(max_length=64)
    status: DisputeStatus = state(DisputeStatus)
    reason: DisputeReason = state(DisputeReason)
    statement: str = text()
    disputed_minor: int = minor()
    currency: str = Field(max_length=3)
    opened_at: datetime = instant()
    answer_due_at: datetime = instant()
    findings: str = text(default="[]")
    decision_key: str | None = Field(default=None, max_length=64)
    decided_at: datetime | None = instant(default=None, nullable=True)
    decided_by: str | None = Field(default=None, max_length=255)
    explanation: str | None = text(default=None, nullable=True)
    refund_minor: int | None = minor(default=None, nullable=True)
    credit_note_id: DocumentId | None = link(default=None, nullable=True)

    @property
    def disputed(self) -> Money:
        """Called into question."""
        return Money(self.disputed_minor, self.currency)

    @property
    def refund(self) -> Money | None:
        """Given back; None while open and when rejected."""
        return None if self.refund_minor is None else Money(self.refund_minor, self.currency)

    @property
    def is_decided(self) -> bool:
        """Whether a verdict was given."""
        return self.status in _DECIDED


class DisputeEvent(SQLModel, table=True):
    """One step in the life of a dispute; never changed. Numbers run from 1, without gaps."""

    __tablename__ = "dispute_event"
    __table_args__ = (ForeignKeyConstraint(["operator_id", "dispute_id"], ["dispute.operator_id", "dispute.id"]),)
    operator_id: OperatorId = key()
    dispute_id: DisputeId = key()
    number: int = Field(primary_key=True)
    actor: Actor = state(Actor)
    actor_subject: str = Field(max_length=255)
    status: DisputeStatus = state(DisputeStatus)
    text: str | None = text(default=None, nullable=True)
    at: datetime = instant()
