"""Quotes, charging sessions, their log and orders, CDRs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.written_once import written_once

revision = "0004"
down_revision = "0003"

INSTANT = sa.DateTime(timezone=True)
STATE = sa.String(32)


def upgrade() -> None:
    op.create_table(
        "quote",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("tariff_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("hold_minor", sa.BigInteger(), nullable=False),
        sa.Column("estimate_net_minor", sa.BigInteger(), nullable=True),
        sa.Column("estimate_tax_minor", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("quoted_at", INSTANT, nullable=False),
        sa.Column("valid_until", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "connector_id"],
            ["connector.operator_id", "connector.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "tariff_id"],
            ["tariff_edition.operator_id", "tariff_edition.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
    )
    op.create_table(
        "charging_session",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("ocpi_id", sa.String(36), nullable=True),
        sa.Column("authorization_reference", sa.String(36), nullable=True),
        sa.Column("idempotency_key", sa.String(64), nullable=True),
        sa.Column("channel", STATE, nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("wallet_id", sa.Uuid(), nullable=True),
        sa.Column("quote_id", sa.Uuid(), nullable=True),
        sa.Column("token_party", sa.String(6), nullable=False),
        sa.Column("token_uid", sa.String(36), nullable=False),
        sa.Column("contract_id", sa.String(36), nullable=True),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("evse_id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("tariff_id", sa.Uuid(), nullable=False),
        sa.Column("locked_tariffs", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("status", STATE, nullable=False),
        sa.Column("stop_reason", STATE, nullable=True),
        sa.Column("is_exhausted", sa.Boolean(), nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("metered_at", INSTANT, nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("power_w", sa.Integer(), nullable=True),
        sa.Column("charging_seconds", sa.BigInteger(), nullable=False),
        sa.Column("idle_seconds", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("accrued_net_minor", sa.BigInteger(), nullable=False),
        sa.Column("accrued_tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("ocpi_last_updated", INSTANT, nullable=True),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint("accrued_net_minor <= net_minor OR net_minor = 0", name="accrued"),
        sa.CheckConstraint("energy_wh >= 0", name="energy"),
        sa.ForeignKeyConstraint(
            ["operator_id", "connector_id"],
            ["connector.operator_id", "connector.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "driver_id"],
            ["driver.operator_id", "driver.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "party_id"],
            ["party.operator_id", "party.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "tariff_id"],
            ["tariff_edition.operator_id", "tariff_edition.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "wallet_id"],
            ["wallet.operator_id", "wallet.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "authorization_reference"),
        sa.UniqueConstraint("operator_id", "driver_id", "idempotency_key"),
        sa.UniqueConstraint("operator_id", "party_id", "ocpi_id"),
    )
    op.create_index(
        "charging_session_driver", "charging_session", ["operator_id", "driver_id", "requested_at", "id"], unique=False
    )
    op.create_index("charging_session_evse", "charging_session", ["operator_id", "evse_id", "status"], unique=False)
    op.create_index(
        "charging_session_pending",
        "charging_session",
        ["operator_id", "requested_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "meter_reading",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("replaces", sa.Boolean(), nullable=False),
        sa.Column("periods", sa.Text(), nullable=True),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.CheckConstraint("energy_wh >= 0", name="energy"),
        sa.ForeignKeyConstraint(
            ["operator_id", "session_id"],
            ["charging_session.operator_id", "charging_session.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "session_id", "number"),
    )
    op.create_table(
        "charger_command",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("kind", STATE, nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("result", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "session_id"],
            ["charging_session.operator_id", "charging_session.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
    )
    op.create_index("charger_command_due", "charger_command", ["operator_id", "state", "next_at"], unique=False)
    op.create_index("charger_command_session", "charger_command", ["operator_id", "session_id"], unique=False)
    op.create_table(
        "cdr",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("ocpi_id", sa.String(39), nullable=False),
        sa.Column("kind", STATE, nullable=False),
        sa.Column("credits_id", sa.Uuid(), nullable=True),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("is_declared", sa.Boolean(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("channel", STATE, nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("evse_id", sa.Uuid(), nullable=False),
        sa.Column("tariff_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("local_on", sa.Date(), nullable=False),
        sa.Column("local_hour_at", INSTANT, nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("charging_seconds", sa.BigInteger(), nullable=False),
        sa.Column("idle_seconds", sa.BigInteger(), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("idle_net_minor", sa.BigInteger(), nullable=False),
        sa.Column("idle_tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("taxes", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "credits_id"],
            ["cdr.operator_id", "cdr.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "document_id"],
            ["document.operator_id", "document.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "session_id"],
            ["charging_session.operator_id", "charging_session.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "credits_id"),
        sa.UniqueConstraint("operator_id", "party_id", "ocpi_id"),
    )
    op.create_index(
        "cdr_original",
        "cdr",
        ["operator_id", "session_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'original'"),
        postgresql_where=sa.text("kind = 'original'"),
    )
    op.create_index("cdr_revenue", "cdr", ["operator_id", "currency", "local_on"], unique=False)
    op.create_index("cdr_session", "cdr", ["operator_id", "session_id"], unique=False)
    written_once("quote")
    written_once("meter_reading")
    written_once("cdr")
