"""Pushes unfinished rows on: facts that wait, requests without an answer, orders that nobody sent or answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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
        self._chores: dict[str, Callable[[OperatorId], Awaitable[int]]] = {
            "facts": services.payments.consider_facts,
            "payments": services.payments.push_on,
            "orders": services.orders.push_on,
        }
        self._operator = operator
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There is something to do now."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. One chore that fails keeps no other from being done."""
        while True:
            self._woken.clear()
            for name in self._chores:
                await self._do(name)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), PAUSE_SECONDS)

    async def _do(self, name: str) -> None:
        try:
            await self._chores[name](self._operator)
        except DomainError as refusal:
            _log.warning("chore put off", chore=name, reason=str(refusal))
        except Exception:  # noqa: BLE001  a bug in one chore must not stop the others; it is told, and tried again
            _log.exception("chore failed", chore=name)
