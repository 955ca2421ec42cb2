"""The auditor: looks at the books from time to time, and freezes the wallets of whatever contradicts itself.

What is new is looked at every fifteen minutes, everything once a day. Nothing else is stopped by what it finds.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Reader
from domain.errors import NotFound
from domain.ids import Ids, OperatorId, PostingId, WalletId
from domain.ledger import CHECKS as LEDGER_CHECKS
from domain.ledger import EVERYTHING, LATEST, REPLAYED, Check, LedgerPosting, LedgerSeal, Scope, Sealer, Verdict
from domain.payments import CHECKS as PAYMENT_CHECKS
from domain.sessions import CHECKS as SESSION_CHECKS
from domain.wallets import CHECKS as WALLET_CHECKS
from domain.wallets import Wallet, WalletService

CHECKS: tuple[Check, ...] = (*LEDGER_CHECKS, *WALLET_CHECKS, *PAYMENT_CHECKS, *SESSION_CHECKS)
NEW_EVERY = timedelta(minutes=15)
ALL_EVERY = timedelta(hours=24)

_seals = table_of(LedgerSeal)
_wallets = table_of(Wallet)
_log = logging.getLogger(__name__)


async def audited(
    reader: Reader, scope: Scope = EVERYTHING, *, replay: bool = False, to_the_end: bool = False
) -> AsyncIterator[Verdict]:
    """Verdicts as they are found; the first broken one is the last, unless all are wanted."""
    for check in (*CHECKS, *(REPLAYED if replay else ())):
        verdict = await check(reader, scope)
        yield verdict
        if verdict.broken is not None and not to_the_end:
            return


async def audit(reader: Reader, scope: Scope = EVERYTHING) -> list[Verdict]:
    """All verdicts."""
    return [verdict async for verdict in audited(reader, scope, to_the_end=True)]


async def since(reader: Reader, operator: OperatorId, seal: int) -> Scope:
    """What was posted after this seal. Raises NotFound."""
    found = await reader.find(LedgerSeal, operator_id=operator, number=seal)
    posting = None if found is None else await reader.find(LedgerPosting, operator_id=operator, id=found.posting_id)
    if found is None or posting is None:
        raise NotFound("seal")
    # A posting that was written a little later may have an id that is a little smaller.
    return Scope(since=PostingId(Ids.last_of(posting.posted_at - LATEST)), seal=found.number)


class Auditor:
    """Keeps what it found last, for whoever watches this process."""

    def __init__(self, database: Database, wallets: WalletService, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._wallets = wallets
        self._sealer = sealer
        self._clock = clock
        self._next_new = self._next_all = clock.now()
        self._sound_until = 0
        self.last_sound_at: datetime | None = None
        self.broken: Sequence[Verdict] = ()

    async def watch(self, operator: OperatorId) -> int:
        """Look, if it is time; how many checks found a contradiction. For the worker."""
        now = self._clock.now()
        if now < min(self._next_new, self._next_all):
            return 0
        is_all = now >= self._next_all
        self._next_new = now + NEW_EVERY
        if is_all:
            self._next_all = now + ALL_EVERY
            await self._sealer.seal_all(operator)
            await self._sealer.checkpoint(operator)
        async with self._database.snapshot() as reader:
            scope = await self._scope(reader, operator, is_all=is_all)
            last = await reader.scalar(select(func.max(_seals.c.number)).where(_seals.c.operator_id == operator))
            verdicts = [verdict async for verdict in audited(reader, scope, replay=is_all, to_the_end=True)]
        self.broken = [verdict for verdict in verdicts if verdict.broken is not None]
        if not self.broken:
            self._sound_until, self.last_sound_at = last or 0, now
        for verdict in self.broken:
            await self._freeze(operator, verdict)
        return len(self.broken)

    async def frozen(self, operator: OperatorId) -> int:
        """How many wallets wait until somebody has looked."""
        async with self._database.read() as reader:
            statement = select(func.count()).where(
                _wallets.c.operator_id == operator, _wallets.c.frozen_at.is_not(None)
            )
            return int(await reader.scalar(statement) or 0)

    async def _scope(self, reader: Reader, operator: OperatorId, *, is_all: bool) -> Scope:
        return EVERYTHING if is_all or not self._sound_until else await since(reader, operator, self._sound_until)

    async def _freeze(self, operator: OperatorId, verdict: Verdict) -> None:
        assert verdict.broken is not None
        _log.error("the books contradict themselves: %s %s", verdict.code, verdict.broken)
        wallets: Sequence[WalletId] = verdict.broken.wallets
        for wallet in wallets:
            await self._wallets.freeze(verdict.broken.operator or operator, wallet, f"audit {verdict.code}")
