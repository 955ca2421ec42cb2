"""The rows of a store: all of them, and the tables where a row stays as it was written."""

from __future__ import annotations

from sqlalchemy import select
from sqlmodel import SQLModel

from domain.database import Database

WRITTEN_ONCE = {
    "cdr",
    "cdr_check",
    "dispute_event",
    "document",
    "hold_event",
    "ledger_entry",
    "ledger_posting",
    "ledger_seal",
    "ledger_transfer",
    "meter_reading",
    "partner_credit",
    "psp_delivery",
    "quote",
    "tariff_edition",
    "wallet_entry",
}
"""Tables whose rows refuse to be changed."""


async def everything(database: Database) -> dict[str, list[str]]:
    """All rows of all tables but the refusals: equal before and after means that nothing was done."""
    async with database.read() as reader:
        return {
            table.name: sorted(str(dict(row)) for row in await reader.rows(select(table)))
            for table in SQLModel.metadata.sorted_tables
            if table.name != "refused_wish"
        }
