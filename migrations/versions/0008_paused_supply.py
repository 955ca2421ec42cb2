"""How long a charge point has held the supply back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("charging_session", sa.Column("paused_seconds", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("charging_session", "paused_seconds")
