"""Puts a posting into the tables, whole or not at all: PostgreSQL in one statement, SQLite under its one write lock.

Both insert the posting unless its reference is taken, move the kept balances only if every floor and ceiling holds on
the newest committed row, and write transfers and entries. `None` means that nothing at all was written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import insert, select, update

from domain.columns import table_of
from domain.database import Transaction
from domain.ids import AccountId
from domain.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting, LedgerTransfer

_accounts = table_of(LedgerAccount)
_transfers = table_of(LedgerTransfer)
_entries = table_of(LedgerEntry)


class Kept(NamedTuple):
    """An account that keeps a balance, after a posting."""

    version: int
    balance: int


class Moved(NamedTuple):
    """One transfer."""

    leg: int
    source_id: AccountId
    target_id: AccountId
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Lines:
    """What belongs to a posting: its transfers, and the net of each account; `kept` are those that keep a balance."""

    transfers: Sequence[Moved]
    net: Mapping[AccountId, int]
    kept: frozenset[AccountId]


async def write(tx: Transaction, posting: LedgerPosting, lines: Lines) -> dict[AccountId, Kept] | None:
    """The kept accounts as they are now; None if the reference was taken or a bound would have been broken."""
    if tx.driver is None:
        return await _step_by_step(tx, posting, lines)
    return await _at_once(tx, posting, lines)


async def _step_by_step(tx: Transaction, posting: LedgerPosting, lines: Lines) -> dict[AccountId, Kept] | None:
    if await _is_refused(tx, posting, lines) or not await tx.insert_once(posting):
        return None
    moved: dict[AccountId, Kept] = {}
    for account in sorted(lines.kept):
        row = await tx.row(
            update(_accounts)
            .where(_accounts.c.operator_id == posting.operator_id, _accounts.c.id == account)
            .values(balance_minor=_accounts.c.balance_minor + lines.net[account], version=_accounts.c.version + 1)
            .returning(_accounts.c.version, _accounts.c.balance_minor)
        )
        assert row is not None, "a kept account was not moved"
        moved[account] = Kept(row["version"], row["balance_minor"])
    of = {"operator_id": posting.operator_id, "posting_id": posting.id}
    await tx.execute(insert(_transfers), [{**of, **transfer._asdict()} for transfer in lines.transfers])
    await tx.execute(insert(_entries), [{**of, **entry} for entry in _entries_of(lines, moved)])
    return moved


async def _is_refused(tx: Transaction, posting: LedgerPosting, lines: Lines) -> bool:
    """Whether a bound would be broken; nobody else writes until this transaction has ended."""
    rows = await tx.rows(
        select(_accounts).where(_accounts.c.operator_id == posting.operator_id, _accounts.c.id.in_(lines.kept))
    )
    after = [(row, lines.net[row["id"]], row["balance_minor"] + lines.net[row["id"]]) for row in rows]
    return any(
        (amount < 0 and row["floor_minor"] is not None and balance < row["floor_minor"])
        or (amount > 0 and row["ceiling_minor"] is not None and balance > row["ceiling_minor"])
        for row, amount, balance in after
    )


def _entries_of(lines: Lines, moved: Mapping[AccountId, Kept]) -> list[dict[str, object]]:
    return [
        {
            "account_id": account,
            "amount_minor": amount,
            "account_version": moved[account].version if account in moved else None,
            "balance_after_minor": moved[account].balance if account in moved else None,
        }
        for account, amount in lines.net.items()
    ]


_AT_ONCE = """
WITH locked AS MATERIALIZED (
    SELECT a.id, a.balance_minor, a.version, a.floor_minor, a.ceiling_minor FROM ledger_account a
    WHERE a.operator_id = $1 AND a.id = ANY ($14::uuid[]) ORDER BY a.id FOR NO KEY UPDATE
), refused AS (
    SELECT 1 FROM locked JOIN unnest($14::uuid[], $15::bigint[]) AS m (id, amount) ON m.id = locked.id
    WHERE (m.amount < 0 AND balance_minor + m.amount < floor_minor)
       OR (m.amount > 0 AND balance_minor + m.amount > ceiling_minor)
), posting AS (
    INSERT INTO ledger_posting (operator_id, id, reference, kind, subject, content_sha256, effective_at, posted_at,
                                actor, request_id, corrects_id, note)
    SELECT $1, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz, $9, $10, $11::uuid, $12
    WHERE (SELECT count(*) FROM locked) = $13 AND NOT EXISTS (SELECT FROM refused)
    ON CONFLICT DO NOTHING RETURNING id
), moved AS (
    UPDATE ledger_account a SET balance_minor = locked.balance_minor + m.amount, version = locked.version + 1
    FROM locked, unnest($14::uuid[], $15::bigint[]) AS m (id, amount), posting
    WHERE a.operator_id = $1 AND a.id = ANY ($14::uuid[]) AND a.id = m.id AND a.id = locked.id
    RETURNING a.id, a.version, a.balance_minor
), transfers AS (
    INSERT INTO ledger_transfer (operator_id, posting_id, leg, source_id, target_id, amount_minor, currency)
    SELECT $1, posting.id, t.* FROM posting, unnest($16::int[], $17::uuid[], $18::uuid[], $19::bigint[], $20::text[]) t
), entries AS (
    INSERT INTO ledger_entry
        (operator_id, account_id, posting_id, amount_minor, account_version, balance_after_minor)
    SELECT $1, e.account_id, posting.id, e.amount, moved.version, moved.balance_minor
    FROM posting CROSS JOIN unnest($21::uuid[], $22::bigint[]) AS e (account_id, amount)
    LEFT JOIN moved ON moved.id = e.account_id
)
SELECT moved.id, moved.version, moved.balance_minor FROM posting LEFT JOIN moved ON true
"""


async def _at_once(tx: Transaction, posting: LedgerPosting, lines: Lines) -> dict[AccountId, Kept] | None:
    """One round trip. The accounts are locked in the one order before anything is judged.

    What is written is reckoned from the locked rows: the UPDATE itself begins with the rows as they were when the
    statement began, and a bound would be checked against those.
    """
    kept = sorted(lines.kept)
    rows = await tx.driver.fetch(
        _AT_ONCE,
        posting.operator_id,
        posting.id,
        posting.reference,
        posting.kind,
        posting.subject,
        posting.content_sha256,
        posting.effective_at,
        posting.posted_at,
        posting.actor,
        posting.request_id,
        posting.corrects_id,
        posting.note,
        len(kept),
        kept,
        [lines.net[account] for account in kept],
        *zip(*lines.transfers, strict=True),
        list(lines.net),
        list(lines.net.values()),
    )
    if not rows:
        return None
    moved = {row["id"]: Kept(row["version"], row["balance_minor"]) for row in rows if row["id"] is not None}
    assert moved.keys() == lines.kept, "a kept account was not moved"
    return moved


async def locked_balances(tx: Transaction, operator: object, ids: Sequence[AccountId]) -> dict[AccountId, int]:
    """Balances of accounts that keep one, locked in the one order until the transaction ends."""
    if tx.driver is not None:
        text = (
            "SELECT id, balance_minor FROM ledger_account WHERE operator_id = $1 AND id = ANY ($2::uuid[]) "
            "ORDER BY id FOR NO KEY UPDATE"
        )
        return {row["id"]: row["balance_minor"] for row in await tx.driver.fetch(text, operator, list(ids))}
    statement = select(_accounts.c.id, _accounts.c.balance_minor).where(
        _accounts.c.operator_id == operator, _accounts.c.id.in_(ids)
    )
    return {row["id"]: row["balance_minor"] for row in await tx.rows(statement)}
