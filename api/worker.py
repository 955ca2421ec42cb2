"""Pushes unfinished rows on: facts that wait, requests without an answer, orders that nobody sent or answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

import structlog

from domain.errors import DomainError
from domain.ids import OperatorId
from domain.services import Services

_log = structlog.get_logger(__name__)
PAUSE_SECONDS = 0.5


class Worker:
    """Goes round while there is work, then rests; `wake` ends the rest."""

    def __init__(self, services: Services, operator: OperatorId) -> None:
        self._chores: dict[str, Callable[[OperatorId], Coroutine[None, None, int]]] = {
            "facts": services.payments.consider_facts,
            "payments": services.payments.push_on,
            "orders": services.orders.push_on,
            "holds": services.guarding.expire_holds,
            "frozen wallets": services.guarding.stop_where_frozen,
            "granted credit": services.wallets.promos.lapse,
            "seals": services.sealer.seal,
            "audit": services.auditor.watch,
        }
        self._operator = operator
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to do now."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. One chore that fails keeps no other from being done, and is tried again."""
        while True:
            self._woken.clear()
            ends = await asyncio.gather(
                *(chore(self._operator) for chore in self._chores.values()), return_exceptions=True
            )
            for name, end in zip(self._chores, ends, strict=True):
                _tell(name, end)
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._woken.wait()


def _tell(chore: str, end: int | BaseException) -> None:
    if isinstance(end, DomainError):
        _log.warning("chore put off", chore=chore, reason=str(end))
    elif isinstance(end, BaseException):
        _log.error("chore failed", chore=chore, exc_info=end)
