"""Writes a posting once: told twice it changes nothing, refused it leaves nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import func, or_, select, update

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Reader, Transaction
from domain.errors import InsufficientFunds
from domain.ids import AccountId, EntryId, Ids, OperatorId, PostingId
from domain.ledger import chart
from domain.ledger.chart import Account
from domain.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting, LedgerTransfer
from domain.ledger.postings import Leg, Posting
from domain.money import Money

_accounts = table_of(LedgerAccount)
_entries = table_of(LedgerEntry)


@dataclass(frozen=True, slots=True)
class Cause:
    """Who moved money and in which request; no posting is written without it."""

    actor: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Written:
    """A posting that is in the books. `is_new` is false when it had been there before; then `after` is empty."""

    id: PostingId
    is_new: bool
    net: Mapping[Account, Money]
    after: Mapping[Account, Money]


class Journal:
    """Opens accounts and writes postings; every method works inside the caller's transaction."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    async def open(self, tx: Transaction, operator: OperatorId, accounts: Sequence[Account], currency: str) -> None:
        """Make sure that these accounts exist."""
        for account in sorted(accounts):
            floor, ceiling = chart.BOUNDS.get(account.code, (None, None))
            await tx.insert_once(
                LedgerAccount(
                    operator_id=operator,
                    id=AccountId(self._ids.new()),
                    code=account.code,
                    owner=account.owner,
                    currency=currency,
                    side=chart.SIDES[account.code],
                    keeps_balance=account.code in chart.BOUNDS,
                    floor_minor=floor,
                    ceiling_minor=ceiling,
                    opened_at=self._clock.now(),
                )
            )

    async def lock(
        self, tx: Transaction, operator: OperatorId, accounts: Sequence[Account], currency: str
    ) -> dict[Account, Money]:
        """Balances of accounts that keep one, locked in the one order until the transaction ends."""
        ids = await self._resolve(tx, operator, {(account, currency) for account in accounts})
        names = {ids[account, currency]: account for account in accounts}
        statement = (
            select(_accounts.c.id, _accounts.c.balance_minor)
            .where(_accounts.c.operator_id == operator, _accounts.c.id.in_(names))
            .order_by(_accounts.c.id)
            .with_for_update()
        )
        return {names[row["id"]]: Money(row["balance_minor"], currency) for row in await tx.rows(statement)}

    async def post(self, tx: Transaction, operator: OperatorId, cause: Cause, *postings: Posting) -> list[Written]:
        """Write facts, in the order of their references. Raises InsufficientFunds when a floor would be broken."""
        return [await self._post(tx, operator, cause, posting) for posting in sorted(postings, key=_reference)]

    async def _post(self, tx: Transaction, operator: OperatorId, cause: Cause, posting: Posting) -> Written:
        assert posting.legs, f"{posting.reference} moves nothing"
        net = _net(posting.legs)
        row = self._row(operator, cause, posting)
        if not await tx.insert_once(row):
            there = await tx.find(LedgerPosting, operator_id=operator, reference=posting.reference)
            assert there is not None
            assert there.content_sha256 == row.content_sha256, f"{posting.reference} was posted with another content"
            return Written(there.id, is_new=False, net=net, after={})
        ids = await self._resolve(tx, operator, {(account, amount.currency) for account, amount in net.items()})
        moved = await self._move(tx, operator, net, ids)
        await tx.insert(*_transfers(row, posting.legs, ids))
        await tx.insert(*self._entry_rows(row, net, ids, moved))
        after = {account: Money(balance, net[account].currency) for account, (_, balance) in moved.items()}
        return Written(row.id, is_new=True, net=net, after=after)

    async def _move(
        self, tx: Transaction, operator: OperatorId, net: Mapping[Account, Money], ids: Mapping[Any, AccountId]
    ) -> dict[Account, tuple[int, int]]:
        """Add to the kept balances in ascending order of account ids; the predicate is judged on the newest row."""
        moved: dict[Account, tuple[int, int]] = {}
        kept = [account for account in net if account.code in chart.BOUNDS]
        for account in sorted(kept, key=lambda account: ids[account, net[account].currency]):
            amount = net[account]
            balance = _accounts.c.balance_minor + amount.minor
            bound = (
                or_(_accounts.c.floor_minor.is_(None), balance >= _accounts.c.floor_minor)
                if amount.minor < 0
                else or_(_accounts.c.ceiling_minor.is_(None), balance <= _accounts.c.ceiling_minor)
            )
            row = await tx.row(
                update(_accounts)
                .where(_accounts.c.operator_id == operator, _accounts.c.id == ids[account, amount.currency], bound)
                .values(balance_minor=balance, version=_accounts.c.version + 1)
                .returning(_accounts.c.version, _accounts.c.balance_minor)
            )
            if row is None:
                locked = await self.lock(tx, operator, [account], amount.currency)
                raise InsufficientFunds(available=locked[account], required=-amount)
            moved[account] = row["version"], row["balance_minor"]
        return moved

    async def _resolve(
        self, tx: Transaction, operator: OperatorId, names: set[tuple[Account, str]]
    ) -> dict[tuple[Account, str], AccountId]:
        found = await self._find(tx, operator, names)
        for account, currency in sorted(names - found.keys()):
            await self.open(tx, operator, [account], currency)
            found |= await self._find(tx, operator, {(account, currency)})
        return found

    async def _find(
        self, tx: Transaction, operator: OperatorId, names: set[tuple[Account, str]]
    ) -> dict[tuple[Account, str], AccountId]:
        statement = select(_accounts.c.id, _accounts.c.code, _accounts.c.owner, _accounts.c.currency).where(
            _accounts.c.operator_id == operator,
            _accounts.c.code.in_({account.code for account, _ in names}),
            _accounts.c.owner.in_({account.owner for account, _ in names}),
        )
        rows = {(Account(r["code"], r["owner"]), r["currency"]): r["id"] for r in await tx.rows(statement)}
        return {name: AccountId(rows[name]) for name in names & rows.keys()}

    def _row(self, operator: OperatorId, cause: Cause, posting: Posting) -> LedgerPosting:
        return LedgerPosting(
            operator_id=operator,
            id=PostingId(self._ids.new()),
            reference=posting.reference,
            kind=posting.kind,
            subject=posting.subject,
            content_sha256=_digest(posting.legs),
            effective_at=posting.effective_at,
            posted_at=self._clock.now(),
            actor=cause.actor,
            request_id=cause.request_id,
        )

    def _entry_rows(
        self,
        row: LedgerPosting,
        net: Mapping[Account, Money],
        ids: Mapping[Any, AccountId],
        moved: Mapping[Account, tuple[int, int]],
    ) -> list[LedgerEntry]:
        rows = []
        for account, amount in net.items():
            version, balance = moved.get(account, (None, None))
            rows.append(
                LedgerEntry(
                    operator_id=row.operator_id,
                    id=EntryId(self._ids.new()),
                    posting_id=row.id,
                    account_id=ids[account, amount.currency],
                    amount_minor=amount.minor,
                    account_version=version,
                    balance_after_minor=balance,
                )
            )
        return rows


async def balance(reader: Reader, operator: OperatorId, account: Account, currency: str) -> Money:
    """What an account holds by its entries, credit positive."""
    statement = (
        select(func.sum(_entries.c.amount_minor))
        .join(
            _accounts, (_accounts.c.id == _entries.c.account_id) & (_accounts.c.operator_id == _entries.c.operator_id)
        )
        .where(
            _accounts.c.operator_id == operator,
            _accounts.c.code == account.code,
            _accounts.c.owner == account.owner,
            _accounts.c.currency == currency,
        )
    )
    return Money(int(await reader.scalar(statement) or 0), currency)


def _reference(posting: Posting) -> str:
    return posting.reference


def _net(legs: Sequence[Leg]) -> dict[Account, Money]:
    """The net of each account, credit positive; what nets to nothing is left out. One currency each."""
    sums: defaultdict[Account, int] = defaultdict(int)
    currency = legs[0].amount.currency
    for leg in legs:
        assert leg.amount.currency == currency, "a posting has one currency"
        assert leg.amount.minor > 0, "a leg moves something"
        sums[leg.source] -= leg.amount.minor
        sums[leg.target] += leg.amount.minor
    assert sum(sums.values()) == 0
    return {account: Money(amount, currency) for account, amount in sums.items() if amount}


def _transfers(row: LedgerPosting, legs: Sequence[Leg], ids: Mapping[Any, AccountId]) -> list[LedgerTransfer]:
    return [
        LedgerTransfer(
            operator_id=row.operator_id,
            posting_id=row.id,
            leg=number,
            source_id=ids[leg.source, leg.amount.currency],
            target_id=ids[leg.target, leg.amount.currency],
            amount_minor=leg.amount.minor,
            currency=leg.amount.currency,
        )
        for number, leg in enumerate(legs, 1)
    ]


def _digest(legs: Sequence[Leg]) -> str:
    content = [
        [leg.source.code, leg.source.owner, leg.target.code, leg.target.owner, leg.amount.minor, leg.amount.currency]
        for leg in legs
    ]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()
