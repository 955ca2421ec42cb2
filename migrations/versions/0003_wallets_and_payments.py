"""Wallets, holds, top-ups, payments and what the provider told us."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.written_once import written_once

revision = "0003"
down_revision = "0002"

INSTANT = sa.DateTime(timezone=True)
STATE = sa.String(32)


def upgrade() -> None:
    op.create_table(
        "wallet",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("frozen_at", INSTANT, nullable=True),
        sa.Column("frozen_reason", sa.String(200), nullable=True),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "driver_id"],
            ["driver.operator_id", "driver.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "driver_id", "currency"),
    )
    op.create_table(
        "wallet_entry",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("kind", STATE, nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_minor", sa.BigInteger(), nullable=False),
        sa.Column("posted_at", INSTANT, nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name="amount"),
        sa.ForeignKeyConstraint(
            ["operator_id", "posting_id"],
            ["ledger_posting.operator_id", "ledger_posting.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "wallet_id"],
            ["wallet.operator_id", "wallet.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "wallet_id", "sequence"),
        sa.UniqueConstraint("operator_id", "wallet_id", "posting_id"),
    )
    op.create_table(
        "hold",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("charging_session_id", sa.Uuid(), nullable=False),
        sa.Column("authorization_reference", sa.String(36), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("raised_minor", sa.BigInteger(), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), nullable=False),
        sa.Column("released_minor", sa.BigInteger(), nullable=False),
        sa.Column("promo_minor", sa.BigInteger(), nullable=False),
        sa.Column("status", STATE, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.CheckConstraint("status = 'open' OR captured_minor + released_minor = raised_minor", name="closed"),
        sa.CheckConstraint("captured_minor + released_minor <= raised_minor", name="rest"),
        sa.CheckConstraint(
            "raised_minor >= 0 AND captured_minor >= 0 AND released_minor >= 0 AND promo_minor >= 0", name="positive"
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "wallet_id"],
            ["wallet.operator_id", "wallet.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "authorization_reference"),
    )
    op.create_index(
        "hold_open_session",
        "hold",
        ["operator_id", "charging_session_id"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("hold_wallet", "hold", ["operator_id", "wallet_id", "status"], unique=False)
    op.create_table(
        "hold_event",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name="amount"),
        sa.ForeignKeyConstraint(
            ["operator_id", "hold_id"],
            ["hold.operator_id", "hold.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "hold_id", "number"),
    )
    op.create_table(
        "payment",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_reference", sa.String(80), nullable=False),
        sa.Column("shopper_reference", sa.String(80), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("return_url", sa.String(1024), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("checkout_session_id", sa.String(80), nullable=True),
        sa.Column("checkout_url", sa.Text(), nullable=True),
        sa.Column("psp_reference", sa.String(64), nullable=True),
        sa.Column("position_version", sa.BigInteger(), nullable=False),
        sa.Column("captured_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "wallet_id"],
            ["wallet.operator_id", "wallet.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "merchant_reference"),
    )
    op.create_table(
        "top_up",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", STATE, nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("credited_at", INSTANT, nullable=True),
        sa.CheckConstraint("amount_minor > 0", name="amount"),
        sa.ForeignKeyConstraint(
            ["operator_id", "payment_id"],
            ["payment.operator_id", "payment.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "wallet_id"],
            ["wallet.operator_id", "wallet.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "payment_id"),
        sa.UniqueConstraint("operator_id", "wallet_id", "idempotency_key"),
    )
    op.create_index("top_up_status", "top_up", ["operator_id", "status", "expires_at"], unique=False)
    op.create_table(
        "payment_attempt",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.Column("error_code", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "payment_id"],
            ["payment.operator_id", "payment.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "payment_id", "operation", "number"),
    )
    op.create_index("payment_attempt_due", "payment_attempt", ["operator_id", "state", "next_at"], unique=False)
    op.create_table(
        "psp_delivery",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id"),
    )
    op.create_table(
        "psp_fact",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("item_sha256", sa.String(64), nullable=False),
        sa.Column("event_code", sa.String(64), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("psp_reference", sa.String(64), nullable=False),
        sa.Column("original_reference", sa.String(64), nullable=True),
        sa.Column("merchant_account", sa.String(80), nullable=False),
        sa.Column("merchant_reference", sa.String(128), nullable=True),
        sa.Column("value_sent", sa.String(32), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("unsigned", sa.Text(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("state", STATE, nullable=False),
        sa.Column("reason", sa.String(200), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "item_sha256"),
    )
    op.create_index("psp_fact_payment", "psp_fact", ["operator_id", "payment_id"], unique=False)
    op.create_index("psp_fact_state", "psp_fact", ["operator_id", "state", "id"], unique=False)
    written_once("wallet_entry")
    written_once("hold_event")
    written_once("psp_delivery")
