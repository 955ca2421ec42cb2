"""Health, on an internal port only: `/livez` says that the loop turns, `/readyz` that the checks hold.

An answer names what fails and nothing else; why it fails is in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Check = Callable[[], Awaitable[None]]
"""Raises whatever it likes when something is wrong."""

CHECK_SECONDS = 2.0

_FRESH = {"Cache-Control": "no-store"}
_log = structlog.get_logger(__name__)


def health_app(checks: Mapping[str, Check], *beside: Route) -> Starlette:
    """The app of the internal port. Ready is 200, not ready 503 with the names of the checks that fail."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "live"}, headers=_FRESH)

    async def ready(_: Request) -> Response:
        failing = await _failing(checks)
        if failing:
            return JSONResponse({"status": "not ready", "failing": failing}, 503, _FRESH)
        return JSONResponse({"status": "ready"}, headers=_FRESH)

    return Starlette(routes=[Route("/livez", live), Route("/readyz", ready), *beside])


async def _failing(checks: Mapping[str, Check]) -> list[str]:
    """The names of the checks that raised or took too long; all run at once."""
    ended = await asyncio.gather(*(_within_time(check) for check in checks.values()), return_exceptions=True)
    errors = {name: error for name, error in zip(checks, ended, strict=True) if error is not None}
    for name, error in errors.items():
        _log.warning("check_failed", check=name, error=type(error).__name__, detail=str(error))
    return sorted(errors)


async def _within_time(check: Check) -> None:
    async with asyncio.timeout(CHECK_SECONDS):
        await check()
