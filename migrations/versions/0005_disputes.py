"""Disputes and their thread."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.written_once import written_once

revision = "0005"
down_revision = "0004"

INSTANT = sa.DateTime(timezone=True)
STATE = sa.String(32)


def upgrade() -> None:
    op.create_table(
        "dispute",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(16), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("cdr_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("status", STATE, nullable=False),
        sa.Column("reason", STATE, nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("disputed_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("answer_due_at", INSTANT, nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("decision_key", sa.String(64), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decided_by", sa.String(255), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("refund_minor", sa.BigInteger(), nullable=True),
        sa.Column("credit_note_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("disputed_minor > 0", name="disputed"),
        sa.CheckConstraint("refund_minor IS NULL OR refund_minor BETWEEN 1 AND disputed_minor", name="refund"),
        sa.ForeignKeyConstraint(
            ["operator_id", "cdr_id"],
            ["cdr.operator_id", "cdr.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "credit_note_id"],
            ["document.operator_id", "document.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "driver_id"],
            ["driver.operator_id", "driver.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "session_id"],
            ["charging_session.operator_id", "charging_session.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "cdr_id"),
        sa.UniqueConstraint("operator_id", "driver_id", "idempotency_key"),
    )
    op.create_index("dispute_driver", "dispute", ["operator_id", "driver_id", "opened_at", "id"], unique=False)
    op.create_index("dispute_queue", "dispute", ["operator_id", "status", "opened_at", "id"], unique=False)
    op.create_index("dispute_session", "dispute", ["operator_id", "session_id"], unique=False)
    op.create_table(
        "dispute_event",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("dispute_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("actor", STATE, nullable=False),
        sa.Column("actor_subject", sa.String(255), nullable=False),
        sa.Column("status", STATE, nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "dispute_id"],
            ["dispute.operator_id", "dispute.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "dispute_id", "number"),
    )
    written_once("dispute_event")
