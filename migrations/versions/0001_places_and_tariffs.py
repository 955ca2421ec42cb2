"""Operators, parties, places, drivers, tariffs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.written_once import written_once

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
STATE = sa.String(32)


def upgrade() -> None:
    op.create_table(
        "operator",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("party_id", sa.String(3), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("opening_hold_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id"),
    )
    op.create_table(
        "party",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("party_id", sa.String(3), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("commands_url", sa.String(255), nullable=True),
        sa.Column("commands_token_sealed", sa.Text(), nullable=True),
        sa.Column("sends_cdrs", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "country_code", "party_id"),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_table(
        "location",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("party_id", sa.Uuid(), nullable=False),
        sa.Column("ocpi_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "party_id"],
            ["party.operator_id", "party.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "party_id", "ocpi_id"),
    )
    op.create_table(
        "evse",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("uid", sa.String(36), nullable=False),
        sa.Column("evse_id", sa.String(48), nullable=True),
        sa.Column("status", STATE, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "location_id"],
            ["location.operator_id", "location.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "location_id", "uid"),
    )
    op.create_table(
        "connector",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("evse_id", sa.Uuid(), nullable=False),
        sa.Column("ocpi_id", sa.String(36), nullable=False),
        sa.Column("standard", sa.String(40), nullable=False),
        sa.Column("max_power_w", sa.Integer(), nullable=False),
        sa.Column("tariff_ocpi_id", sa.String(36), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "evse_id"],
            ["evse.operator_id", "evse.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "evse_id", "ocpi_id"),
    )
    op.create_table(
        "driver",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("display_name", sa.String(120), nullable=False),
        sa.Column("locale", sa.String(35), nullable=False),
        sa.Column("enrolled_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "subject"),
    )
    op.create_table(
        "token",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("party_id", sa.String(3), nullable=False),
        sa.Column("uid", sa.String(36), nullable=False),
        sa.Column("kind", STATE, nullable=False),
        sa.Column("contract_id", sa.String(36), nullable=False),
        sa.Column("is_valid", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "driver_id"],
            ["driver.operator_id", "driver.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "country_code", "party_id", "uid", "kind"),
    )
    op.create_table(
        "tariff_edition",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("ocpi_id", sa.String(36), nullable=False),
        sa.Column("sha256", sa.String(71), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("kept_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "owner_id"],
            ["party.operator_id", "party.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "owner_id", "ocpi_id", "sha256"),
    )
    op.create_table(
        "published_tariff",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("ocpi_id", sa.String(36), nullable=False),
        sa.Column("edition_id", sa.Uuid(), nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "edition_id"],
            ["tariff_edition.operator_id", "tariff_edition.id"],
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "owner_id"],
            ["party.operator_id", "party.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "owner_id", "ocpi_id"),
    )
    written_once("tariff_edition")
