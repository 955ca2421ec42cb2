"""Seals, checkpoints, promotional credit, refused wishes; leaner entries, holds that expire, wallets that close."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from migrations.written_once import written_once

revision = "0006"
down_revision = "0005"

INSTANT = sa.DateTime(timezone=True)
STATE = sa.String(32)
OPEN = sa.text("status = 'open'")
ACTIVE = sa.text("status = 'active'")


def upgrade() -> None:
    op.add_column("ledger_posting", sa.Column("note", sa.String(500), nullable=True))
    op.add_column("hold_event", sa.Column("posting_id", sa.Uuid(), nullable=True))
    op.add_column("wallet", sa.Column("closed_at", INSTANT, nullable=True))
    _ledger()
    _hold()
    _new_tables()
    written_once("ledger_transfer")
    written_once("ledger_entry")
    written_once("ledger_seal")


def _ledger() -> None:
    _rebuild(
        "ledger_transfer",
        "operator_id, posting_id, leg, source_id, target_id, amount_minor, currency",
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
        sa.PrimaryKeyConstraint("operator_id", "posting_id", "leg"),
    )
    _rebuild(
        "ledger_entry",
        "operator_id, posting_id, account_id, amount_minor, account_version, balance_after_minor",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
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
        sa.PrimaryKeyConstraint("operator_id", "posting_id", "account_id"),
        sa.UniqueConstraint("operator_id", "account_id", "account_version"),
    )


def _hold() -> None:
    day = "datetime(opened_at, '+1 day')" if _is_sqlite() else "opened_at + interval '1 day'"
    columns = (
        "operator_id, id, wallet_id, charging_session_id, authorization_reference, currency, raised_minor, "
        "captured_minor, released_minor, promo_minor, status, version, opened_at"
    )
    op.drop_index("hold_open_session", "hold")
    op.drop_index("hold_wallet", "hold")
    if _is_sqlite():
        _rebuild(
            "hold",
            f"{columns}, expires_at",
            sa.Column("operator_id", sa.Uuid(), nullable=False),
            sa.Column("id", sa.Uuid(), nullable=False),
            sa.Column("wallet_id", sa.Uuid(), nullable=False),
            sa.Column("charging_session_id", sa.Uuid(), nullable=True),
            sa.Column("authorization_reference", sa.String(36), nullable=False),
            sa.Column("currency", sa.String(3), nullable=False),
            sa.Column("raised_minor", sa.BigInteger(), nullable=False),
            sa.Column("captured_minor", sa.BigInteger(), nullable=False),
            sa.Column("released_minor", sa.BigInteger(), nullable=False),
            sa.Column("promo_minor", sa.BigInteger(), nullable=False),
            sa.Column("status", STATE, nullable=False),
            sa.Column("version", sa.BigInteger(), nullable=False),
            sa.Column("opened_at", INSTANT, nullable=False),
            sa.Column("expires_at", INSTANT, nullable=False),
            sa.CheckConstraint("status = 'open' OR captured_minor + released_minor = raised_minor", name="closed"),
            sa.CheckConstraint("captured_minor + released_minor <= raised_minor", name="rest"),
            sa.CheckConstraint(
                "raised_minor >= 0 AND captured_minor >= 0 AND released_minor >= 0 AND promo_minor >= 0",
                name="positive",
            ),
            sa.ForeignKeyConstraint(
                ["operator_id", "wallet_id"],
                ["wallet.operator_id", "wallet.id"],
            ),
            sa.PrimaryKeyConstraint("operator_id", "id"),
            sa.UniqueConstraint("operator_id", "authorization_reference"),
            source=f"{columns}, {day}",
        )
    else:
        op.alter_column("hold", "charging_session_id", nullable=True)
        op.add_column("hold", sa.Column("expires_at", INSTANT, nullable=True))
        op.execute(f"UPDATE hold SET expires_at = {day}")  # noqa: S608  our own words
        op.alter_column("hold", "expires_at", nullable=False)
    for name, column, unique in (
        ("hold_open_session", "charging_session_id", True),
        ("hold_open_wallet", "wallet_id", False),
        ("hold_due", "expires_at", False),
    ):
        op.create_index(name, "hold", ["operator_id", column], unique=unique, sqlite_where=OPEN, postgresql_where=OPEN)


def _new_tables() -> None:
    op.create_table(
        "ledger_seal",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("sealed_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "posting_id"],
            ["ledger_posting.operator_id", "ledger_posting.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "number"),
        sa.UniqueConstraint("operator_id", "posting_id"),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("balance_minor", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "account_id"],
            ["ledger_account.operator_id", "ledger_account.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "account_id", "posting_id"),
    )
    op.create_table(
        "promo_grant",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("status", STATE, nullable=False),
        sa.Column("granted_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("lapsed_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name="amount"),
        sa.CheckConstraint("lapsed_minor BETWEEN 0 AND amount_minor", name="lapsed"),
        sa.ForeignKeyConstraint(
            ["operator_id", "wallet_id"],
            ["wallet.operator_id", "wallet.id"],
        ),
        sa.PrimaryKeyConstraint("operator_id", "id"),
        sa.UniqueConstraint("operator_id", "wallet_id", "idempotency_key"),
    )
    op.create_index(
        "promo_grant_due",
        "promo_grant",
        ["operator_id", "expires_at"],
        unique=False,
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )
    op.create_table(
        "refused_wish",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(255), nullable=False),
        sa.Column("verb", sa.String(32), nullable=False),
        sa.Column("idempotency_key", sa.String(64), nullable=False),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=False),
        sa.Column("refused_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "owner", "verb", "idempotency_key"),
    )


def _rebuild(table: str, into: str, *parts: Any, source: str | None = None) -> None:
    """Give a table another shape and keep its rows; SQLite cannot alter constraints, so both engines copy."""
    op.create_table(f"{table}_new", *parts)
    op.execute(f"INSERT INTO {table}_new ({into}) SELECT {source or into} FROM {table}")  # noqa: S608  our own names
    op.drop_table(table)
    op.rename_table(f"{table}_new", table)
    if not _is_sqlite():
        _rename_constraints(table)


def _rename_constraints(table: str) -> None:
    """PostgreSQL has named what belongs to the new table after its first name."""
    found = sa.text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass)")
    for name in op.get_bind().execute(found, {"name": table}).scalars().all():
        if name.startswith(f"{table}_new"):
            op.execute(f'ALTER TABLE {table} RENAME CONSTRAINT "{name}" TO "{name.replace("_new", "", 1)}"')


def _is_sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")
