"""The ledger's tables. Rows of posting, transfer and entry are written once and refuse UPDATE and DELETE by trigger."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.columns import instant, key, link, minor, state, text, whole
from domain.ids import AccountId, DocumentId, OperatorId, PostingId
from domain.ledger.chart import Code, Side

LARGEST_TRANSFER_MINOR = 1_000_000_000_000


class LedgerAccount(SQLModel, table=True):
    """One account: a code, an owner and a currency. `balance_minor` is kept for wallet accounts only."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        UniqueConstraint("operator_id", "code", "owner", "currency"),
        CheckConstraint("floor_minor IS NULL OR balance_minor >= floor_minor", name="floor"),
        CheckConstraint("ceiling_minor IS NULL OR balance_minor <= ceiling_minor", name="ceiling"),
        CheckConstraint("keeps_balance OR (balance_minor = 0 AND version = 0)", name="kept"),
    )
    operator_id: OperatorId = key()
    id: AccountId = key()
    code: Code = state(Code)
    owner: str = Field(max_length=80)
    currency: str = Field(max_length=3)
    side: Side = state(Side)
    keeps_balance: bool
    balance_minor: int = minor(default=0)
    version: int = whole(default=0)
    floor_minor: int | None = minor(default=None, nullable=True)
    ceiling_minor: int | None = minor(default=None, nullable=True)
    opened_at: datetime = instant()


class LedgerPosting(SQLModel, table=True):
    """One fact that moved money. `reference` names it, once for ever."""

    __tablename__ = "ledger_posting"
    __table_args__ = (
        UniqueConstraint("operator_id", "reference"),
        Index("ledger_posting_subject", "operator_id", "subject"),
        CheckConstraint("actor <> '' AND request_id <> '' AND kind <> ''", name="caused"),
        ForeignKeyConstraint(["operator_id", "corrects_id"], ["ledger_posting.operator_id", "ledger_posting.id"]),
    )
    operator_id: OperatorId = key()
    id: PostingId = key()
    reference: str = Field(max_length=120)
    kind: str = Field(max_length=32)
    subject: str = Field(max_length=80)
    content_sha256: str = Field(max_length=64)
    effective_at: datetime = instant()
    posted_at: datetime = instant()
    actor: str = Field(max_length=80)
    request_id: str = Field(max_length=80)
    corrects_id: PostingId | None = link(default=None, nullable=True)
    note: str | None = Field(default=None, max_length=500)


class LedgerTransfer(SQLModel, table=True):
    """Why money moved: from `source_id` to `target_id`. That both exist is said by the entries, which are their net."""

    __tablename__ = "ledger_transfer"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "posting_id"], ["ledger_posting.operator_id", "ledger_posting.id"]),
        CheckConstraint(f"amount_minor BETWEEN 1 AND {LARGEST_TRANSFER_MINOR}", name="amount"),
        CheckConstraint("source_id <> target_id", name="moves"),
    )
    operator_id: OperatorId = key()
    posting_id: PostingId = key()
    leg: int = Field(primary_key=True)
    source_id: AccountId = link()
    target_id: AccountId = link()
    amount_minor: int = minor()
    currency: str = Field(max_length=3)


class LedgerEntry(SQLModel, table=True):
    """What changed: the net of a posting on one account, credit positive; its key is what it says."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint("operator_id", "account_id", "account_version"),
        ForeignKeyConstraint(["operator_id", "posting_id"], ["ledger_posting.operator_id", "ledger_posting.id"]),
        ForeignKeyConstraint(["operator_id", "account_id"], ["ledger_account.operator_id", "ledger_account.id"]),
        CheckConstraint("amount_minor <> 0", name="amount"),
        CheckConstraint("(account_version IS NULL) = (balance_after_minor IS NULL)", name="kept"),
    )
    operator_id: OperatorId = key()
    posting_id: PostingId = key()
    account_id: AccountId = key()
    amount_minor: int = minor()
    account_version: int | None = whole(default=None, nullable=True)
    balance_after_minor: int | None = minor(default=None, nullable=True)


class LedgerSeal(SQLModel, table=True):
    """One link of the chain over all postings of an operator: `hash` covers the one before, itself and the content."""

    __tablename__ = "ledger_seal"
    __table_args__ = (
        UniqueConstraint("operator_id", "posting_id"),
        ForeignKeyConstraint(["operator_id", "posting_id"], ["ledger_posting.operator_id", "ledger_posting.id"]),
    )
    operator_id: OperatorId = key()
    number: int = Field(primary_key=True, sa_type=BigInteger)
    posting_id: PostingId = link()
    previous_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    sealed_at: datetime = instant()


class LedgerCheckpoint(SQLModel, table=True):
    """What an account that keeps no balance held after all postings up to this id; the audit derives it again."""

    __tablename__ = "ledger_checkpoint"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "account_id"], ["ledger_account.operator_id", "ledger_account.id"]),
    )
    operator_id: OperatorId = key()
    account_id: AccountId = key()
    posting_id: PostingId = key()
    balance_minor: int = minor()


class DocumentKind(StrEnum):
    """Kinds of legal documents."""

    BILL = "bill"
    CREDIT_NOTE = "credit_note"


class Document(SQLModel, table=True):
    """A bill or a credit note, frozen: `content` is canonical JSON, `number` has no gap and no twin in its series."""

    __tablename__ = "document"
    __table_args__ = (
        UniqueConstraint("operator_id", "series", "number"),
        Index("document_subject", "operator_id", "subject"),
        ForeignKeyConstraint(["operator_id", "corrects_id"], ["document.operator_id", "document.id"]),
    )
    operator_id: OperatorId = key()
    id: DocumentId = key()
    kind: DocumentKind = state(DocumentKind)
    subject: str = Field(max_length=80)
    series: str = Field(max_length=32)
    number: int = whole()
    corrects_id: DocumentId | None = link(default=None, nullable=True)
    currency: str = Field(max_length=3)
    net_minor: int = minor()
    tax_minor: int = minor()
    content: str = text()
    sha256: str = Field(max_length=64)
    issued_at: datetime = instant()

    @property
    def printed_number(self) -> str:
        """The number as it is printed: `B-2026-000123`."""
        return f"{self.series}-{self.number:06d}"


class DocumentSeries(SQLModel, table=True):
    """The next number of one series; its row is the last lock a transaction takes."""

    __tablename__ = "document_series"
    operator_id: OperatorId = key()
    series: str = Field(primary_key=True, max_length=32)
    next: int = whole(default=1)


def subject(kind: str, object_id: UUID) -> str:
    """What a posting or document is about: `payment:0198…`."""
    return f"{kind}:{object_id}"
