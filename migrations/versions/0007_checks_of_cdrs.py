"""What was found about CDRs, credits of operators, keys of meters, how parties count, highest prices of a quote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.written_once import written_once

revision = "0007"
down_revision = "0006"

INSTANT = sa.DateTime(timezone=True)
STATE = sa.String(32)


def upgrade() -> None:
    op.add_column("party", sa.Column("tolerance_minor", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("party", sa.Column("rounding", STATE, nullable=False, server_default="document"))
    op.add_column("quote", sa.Column("ceilings", sa.Text(), nullable=False, server_default="[]"))
    op.create_table(
        "evse_meter_key",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("evse_id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.String(512), nullable=False),
        sa.Column("known_since", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["operator_id", "evse_id"], ["evse.operator_id", "evse.id"]),
        sa.PrimaryKeyConstraint("operator_id", "evse_id", "public_key"),
    )
    op.create_table(
        "cdr_check",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("cdr_id", sa.Uuid(), nullable=False),
        sa.Column("is_accepted", sa.Boolean(), nullable=False),
        sa.Column("cause", STATE, nullable=True),
        sa.Column("net_minor", sa.BigInteger(), nullable=True),
        sa.Column("tax_minor", sa.BigInteger(), nullable=True),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("checked_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["operator_id", "cdr_id"], ["cdr.operator_id", "cdr.id"]),
        sa.PrimaryKeyConstraint("operator_id", "cdr_id"),
    )
    op.create_table(
        "partner_credit",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("ocpi_id", sa.String(39), nullable=False),
        sa.Column("credits_ocpi_id", sa.String(39), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["operator_id", "party_id"], ["party.operator_id", "party.id"]),
        sa.PrimaryKeyConstraint("operator_id", "party_id", "ocpi_id"),
        sa.UniqueConstraint("operator_id", "party_id", "credits_ocpi_id"),
    )
    written_once("cdr_check")
    written_once("partner_credit")
