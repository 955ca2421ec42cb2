"""The chain over everything posted: each seal's hash covers the one before, so no row can change unnoticed.

Sealing follows posting within seconds and takes no lock that a posting would wait for. Two sealers harm nobody: the
next number is taken once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, and_, exists, func, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Reader, retried
from domain.ids import Ids, OperatorId, PostingId
from domain.ledger.models import LedgerAccount, LedgerCheckpoint, LedgerEntry, LedgerPosting, LedgerSeal, LedgerTransfer

_postings = table_of(LedgerPosting)
_transfers = table_of(LedgerTransfer)
_entries = table_of(LedgerEntry)
_seals = table_of(LedgerSeal)
_accounts = table_of(LedgerAccount)
_checkpoints = table_of(LedgerCheckpoint)

BATCH = 500
LATEST = timedelta(seconds=30)
"""No transaction lasts longer: what is older than this and not sealed yet is found by a look at everything."""
SETTLED = timedelta(minutes=5)
GENESIS = "0" * 64


class Sealer:
    """Chains committed postings, and notes balances of the accounts that keep none."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._has_looked_at_all = False

    async def seal(self, operator: OperatorId) -> int:
        """Seal what is not sealed yet; how many postings. The first time it looks at everything."""
        sealed = await self._seal(operator, since_ever=not self._has_looked_at_all)
        self._has_looked_at_all = self._has_looked_at_all or sealed < BATCH
        return sealed

    async def seal_all(self, operator: OperatorId) -> int:
        """Seal until nothing is left, stragglers too."""
        total = 0
        while sealed := await self._seal(operator, since_ever=True):
            total += sealed
        return total

    @retried
    async def _seal(self, operator: OperatorId, *, since_ever: bool) -> int:
        async with self._database.transaction() as tx:
            last = await tx.row(
                select(_seals).where(_seals.c.operator_id == operator).order_by(_seals.c.number.desc()).limit(1)
            )
            since = None if since_ever or last is None else await self._since(tx, operator, last["posting_id"])
            postings = await tx.list(LedgerPosting, _unsealed(operator, since).limit(BATCH))
            if not postings:
                return 0
            bodies = await contents(tx, operator, postings)
            number, previous = (0, GENESIS) if last is None else (last["number"], last["hash"])
            now, seals = self._clock.now(), []
            for posting in postings:
                number, before = number + 1, previous
                previous = chained(before, number, now, bodies[posting.id])
                seals.append(
                    LedgerSeal(
                        operator_id=operator,
                        number=number,
                        posting_id=posting.id,
                        previous_hash=before,
                        hash=previous,
                        sealed_at=now,
                    )
                )
            if not await tx.insert_once(seals[0]):
                return 0  # another sealer was faster
            await tx.insert(*seals[1:])
            return len(seals)

    async def _since(self, reader: Reader, operator: OperatorId, posting: UUID) -> UUID:
        at = await reader.scalar(
            select(_postings.c.posted_at).where(_postings.c.operator_id == operator, _postings.c.id == posting)
        )
        return Ids.last_of(at - LATEST)

    async def oldest_unsealed(self, operator: OperatorId) -> timedelta:
        """How long the oldest posting without a seal has waited; nothing if there is none."""
        statement = _unsealed(operator, Ids.last_of(self._clock.now() - timedelta(hours=1))).limit(1)
        async with self._database.read() as reader:
            (*found,) = await reader.list(LedgerPosting, statement)
        return self._clock.now() - found[0].posted_at if found else timedelta()

    @retried
    async def checkpoint(self, operator: OperatorId) -> int:
        """Note what accounts without a kept balance held five minutes ago; how many accounts."""
        bound = PostingId(Ids.last_of(self._clock.now() - SETTLED))
        async with self._database.transaction() as tx:
            rows = await tx.rows(
                select(_entries.c.account_id, func.sum(_entries.c.amount_minor).label("sum"))
                .join(
                    _accounts,
                    and_(
                        _accounts.c.operator_id == _entries.c.operator_id,
                        _accounts.c.id == _entries.c.account_id,
                        _accounts.c.keeps_balance.is_(False),
                    ),
                )
                .where(_entries.c.operator_id == operator, _entries.c.posting_id <= bound)
                .group_by(_entries.c.account_id)
            )
            await tx.insert(
                *(
                    LedgerCheckpoint(
                        operator_id=operator,
                        account_id=row["account_id"],
                        posting_id=bound,
                        balance_minor=int(row["sum"]),
                    )
                    for row in rows
                )
            )
            return len(rows)


async def contents(reader: Reader, operator: OperatorId, postings: Sequence[LedgerPosting]) -> dict[UUID, bytes]:
    """The canonical JSON of each posting with its transfers and entries."""
    ids = [posting.id for posting in postings]
    transfers = _transfers.c
    entries = _entries.c
    moved = await reader.rows(
        select(_transfers)
        .where(transfers.operator_id == operator, transfers.posting_id.in_(ids))
        .order_by(transfers.leg)
    )
    changed = await reader.rows(
        select(_entries)
        .where(entries.operator_id == operator, entries.posting_id.in_(ids))
        .order_by(entries.account_id)
    )
    found: dict[UUID, dict[str, Any]] = {
        posting.id: {"posting": _plain(posting.__dict__, _postings.columns.keys()), "transfers": [], "entries": []}
        for posting in postings
    }
    for rows, name, table in ((moved, "transfers", _transfers), (changed, "entries", _entries)):
        for row in rows:
            found[row["posting_id"]][name].append(_plain(row, table.columns.keys()))
    return {id_: orjson.dumps(body, option=orjson.OPT_SORT_KEYS) for id_, body in found.items()}


def chained(previous: str, number: int, sealed_at: datetime, body: bytes) -> str:
    """The hash of a seal: SHA-256 over the hash before it, its own number and instant, and the content."""
    return hashlib.sha256(f"{previous} {number} {_value(sealed_at)} ".encode() + body).hexdigest()


def _unsealed(operator: OperatorId, since: UUID | None) -> Select[Any]:
    its_seal = and_(_seals.c.operator_id == _postings.c.operator_id, _seals.c.posting_id == _postings.c.id)
    statement = select(_postings).where(_postings.c.operator_id == operator, ~exists().where(its_seal))
    if since is not None:
        statement = statement.where(_postings.c.id > since)
    return statement.order_by(_postings.c.id)


def _plain(row: Mapping[Any, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: _value(row[name]) for name in names}


def _value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, UUID | str) else value
