"""Writes a posting once: told twice it changes nothing, refused it leaves nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from domain import sql
from domain.clock import Clock
from domain.columns import table_of
from domain.database import Reader, Transaction
from domain.errors import InsufficientFunds
from domain.ids import AccountId, Ids, OperatorId, PostingId
from domain.ledger import chart
from domain.ledger.chart import Account
from domain.ledger.models import LedgerAccount, LedgerCheckpoint, LedgerEntry, LedgerPosting
from domain.ledger.posting import Place, Posting
from domain.ledger.writing import Kept, Lines, Moved, locked_balances, write
from domain.money import Money

_accounts = table_of(LedgerAccount)
_entries = table_of(LedgerEntry)
_checkpoints = table_of(LedgerCheckpoint)
_MOST_KNOWN = 100_000


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
    net: Mapping[Place, int]
    after: Mapping[Place, Kept]


class Journal:
    """Opens accounts and writes postings; every method works inside the caller's transaction."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._known: dict[tuple[OperatorId, Place], AccountId] = {}

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
        ids = await self._resolve(tx, operator, {Place(account, currency) for account in accounts})
        found = await locked_balances(tx, operator, list(ids.values()))
        return {place.account: Money(found[account_id], currency) for place, account_id in ids.items()}

    async def post(self, tx: Transaction, operator: OperatorId, cause: Cause, *postings: Posting) -> list[Written]:
        """Write facts, in the order of their references. Raises InsufficientFunds when a bound would be broken."""
        if len(postings) > 1:
            # Accounts are locked in one order over all of them, or two transactions could wait for each other.
            kept = {place for posting in postings for place in posting.net() if place.account.code in chart.BOUNDS}
            await locked_balances(tx, operator, list((await self._resolve(tx, operator, kept)).values()))
        return [
            await self._post(tx, operator, cause, posting) for posting in sorted(postings, key=lambda p: p.reference)
        ]

    async def knows(self, reader: Reader, operator: OperatorId, reference: str) -> bool:
        """Whether a fact is in the books."""
        return await reader.find(LedgerPosting, operator_id=operator, reference=reference) is not None

    async def _post(self, tx: Transaction, operator: OperatorId, cause: Cause, posting: Posting) -> Written:
        assert posting.legs, f"{posting.reference} moves nothing"
        net = posting.net()
        ends = {Place(end, leg.amount.currency) for leg in posting.legs for end in (leg.source, leg.target)}
        ids = await self._resolve(tx, operator, ends)
        row = self._row(operator, cause, posting)
        lines = Lines(
            transfers=_transfers(posting, ids),
            net={ids[place]: amount for place, amount in net.items()},
            kept=frozenset(ids[place] for place in net if place.account.code in chart.BOUNDS),
        )
        moved = await write(tx, row, lines)
        if moved is None:
            return await self._there(tx, row, net, ids)
        after = {place: moved[ids[place]] for place in net if ids[place] in moved}
        return Written(row.id, is_new=True, net=net, after=after)

    async def _there(
        self, tx: Transaction, row: LedgerPosting, net: Mapping[Place, int], ids: Mapping[Place, AccountId]
    ) -> Written:
        """Nothing was written: the fact is in the books already, or there is not enough."""
        known = await tx.find(LedgerPosting, operator_id=row.operator_id, reference=row.reference)
        if known is not None:
            assert known.content_sha256 == row.content_sha256, f"{row.reference} was posted with another content"
            return Written(known.id, is_new=False, net=net, after={})
        kept = {ids[place]: place for place in net if place.account.code in chart.BOUNDS}
        balances = await locked_balances(tx, row.operator_id, list(kept))
        short = next(id_ for id_ in sorted(kept) if not _within(kept[id_].account, balances[id_] + net[kept[id_]]))
        place = kept[short]
        raise InsufficientFunds(Money(balances[short], place.currency), Money(-net[place], place.currency))

    async def _resolve(self, tx: Transaction, operator: OperatorId, places: set[Place]) -> dict[Place, AccountId]:
        """The ids of these accounts, in the order of the ids; those that are not there are opened."""
        found = {place: self._known[operator, place] for place in places if (operator, place) in self._known}
        missing = places - found.keys()
        if missing:
            found |= await self._find(tx, operator, missing)
            for place in sorted(missing - found.keys()):
                await self.open(tx, operator, [place.account], place.currency)
                found |= await self._find(tx, operator, {place})
            tx.after_commit(lambda: self._learn(operator, {place: found[place] for place in missing}))
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def _learn(self, operator: OperatorId, found: Mapping[Place, AccountId]) -> None:
        """What is committed stays true for ever."""
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known.update({(operator, place): account for place, account in found.items()})

    async def _find(self, tx: Transaction, operator: OperatorId, places: set[Place]) -> dict[Place, AccountId]:
        statement = select(_accounts.c.id, _accounts.c.code, _accounts.c.owner, _accounts.c.currency).where(
            _accounts.c.operator_id == operator,
            _accounts.c.code.in_({place.account.code for place in places}),
            _accounts.c.owner.in_({place.account.owner for place in places}),
        )
        rows = {Place(Account(r["code"], r["owner"]), r["currency"]): r["id"] for r in await tx.rows(statement)}
        return {place: AccountId(rows[place]) for place in places & rows.keys()}

    def _row(self, operator: OperatorId, cause: Cause, posting: Posting) -> LedgerPosting:
        return sql.new(
            LedgerPosting,
            operator_id=operator,
            id=PostingId(self._ids.new()),
            reference=posting.reference,
            kind=posting.kind,
            subject=posting.subject,
            content_sha256=posting.digest,
            effective_at=posting.effective_at,
            posted_at=self._clock.now(),
            actor=cause.actor,
            request_id=cause.request_id,
            corrects_id=posting.corrects,
            note=posting.note,
        )


async def balance(reader: Reader, operator: OperatorId, account: Account, currency: str) -> Money:
    """What an account holds by its entries, credit positive: the last checkpoint and what came after it."""
    found = await reader.find(
        LedgerAccount, operator_id=operator, code=account.code, owner=account.owner, currency=currency
    )
    if found is None:
        return Money.zero(currency)
    last = await reader.row(
        select(_checkpoints)
        .where(_checkpoints.c.operator_id == operator, _checkpoints.c.account_id == found.id)
        .order_by(_checkpoints.c.posting_id.desc())
        .limit(1)
    )
    after = select(func.sum(_entries.c.amount_minor)).where(
        _entries.c.operator_id == operator, _entries.c.account_id == found.id
    )
    if last is not None:
        after = after.where(_entries.c.posting_id > last["posting_id"])
    start = 0 if last is None else last["balance_minor"]
    return Money(start + int(await reader.scalar(after) or 0), currency)


def _within(account: Account, balance_minor: int) -> bool:
    floor, ceiling = chart.BOUNDS[account.code]
    return (floor is None or balance_minor >= floor) and (ceiling is None or balance_minor <= ceiling)


def _transfers(posting: Posting, ids: Mapping[Place, AccountId]) -> list[Moved]:
    return [
        Moved(
            number,
            ids[Place(leg.source, leg.amount.currency)],
            ids[Place(leg.target, leg.amount.currency)],
            leg.amount.minor,
            leg.amount.currency,
        )
        for number, leg in enumerate(posting.legs, 1)
    ]
