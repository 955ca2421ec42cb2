"""The books, their documents, and what keeps written rows as they are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.written_once import written_once

revision = "0002"
down_revision = "0001"

INSTANT = sa.DateTime(timezone=True)
STATE = sa.String(32)


def upgrade() -> None:
    op.create_table(
        "ledger_account",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", STATE, nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("side", STATE, nullable=False),
        sa.Column("keeps_balance", sa.Boolean(), nullable=False),
        sa.Column("balance_minor", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("floor_minor", sa.BigInteger(), nullable=True),
        sa.Column("ceiling_minor", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.CheckConstraint("ceiling_minor IS NULL OR balance_minor <= ceiling_minor", name="ceiling"),
        sa.CheckConstraint("floor_minor IS NULL OR balance_minor >= floor_minor", name="floor"),
        sa.CheckConstraint("keeps_balance OR (balance_minor = 0 AND version = 0)", name="kept"),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "code", "owner", "currency"),
    )
    op.create_table(
        "ledger_posting",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("effective_at", INSTANT, nullable=False),
        sa.Column("posted_at", INSTANT, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("request_id", sa.String(80), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("actor <> '' AND request_id <> '' AND kind <> ''", name="caused"),
        sa.ForeignKeyConstraint(
            ["operator_id", "corrects_id"],
            ["ledger_posting.operator_id", "ledger_posting.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "reference"),
    )
    op.create_index("ledger_posting_subject", "ledger_posting", ["operator_id", "subject"], unique=False)
    op.create_table(
        "ledger_transfer",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("leg", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="amount"),
        sa.CheckConstraint("source_id <> target_id", name="moves"),
        sa.ForeignKeyConstraint(
            ["operator_id", "posting_id"],
            ["ledger_posting.operator_id", "ledger_posting.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "source_id"],
            ["ledger_account.operator_id", "ledger_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "target_id"],
            ["ledger_account.operator_id", "ledger_account.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "posting_id", "leg"),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("account_version", sa.BigInteger(), nullable=True),
        sa.Column("balance_after_minor", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(account_version IS NULL) = (balance_after_minor IS NULL)", name="kept"),
        sa.CheckConstraint("amount_minor <> 0", name="amount"),
        sa.ForeignKeyConstraint(
            ["operator_id", "account_id"],
            ["ledger_account.operator_id", "ledger_account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "posting_id"],
            ["ledger_posting.operator_id", "ledger_posting.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "account_id", "account_version"),
        sa.UniqueConstraint("operator_id", "posting_id", "account_id"),
    )
    op.create_table(
        "document",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", STATE, nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("series", sa.String(32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "corrects_id"],
            ["document.operator_id", "document.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "series", "number"),
    )
    op.create_index("document_subject", "document", ["operator_id", "subject"], unique=False)
    op.create_table(
        "document_series",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("series", sa.String(32), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "series"),
    )
    written_once("ledger_posting")
    written_once("ledger_transfer")
    written_once("ledger_entry")
    written_once("document")
