"""The stand-in's desk for tests and demos: read the books, order faults, move the clock. It asks for no credential."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from simulators.adyen_bank import Clock
from simulators.adyen_books import Books, Delivery, Modification, Payment, Record, Released, Session, StoredMethod
from simulators.adyen_faults import Faults, UnknownFault
from simulators.adyen_webhooks import Courier


class Desk:
    """What Adyen does not have."""

    def __init__(self, books: Books, courier: Courier, clock: Clock, faults: Faults) -> None:
        self._books, self._courier, self._clock, self._faults = books, courier, clock, faults

    def routes(self) -> list[Route | Mount]:
        """Everything below /admin, and the sign of life."""
        desk = [
            Route("/books", self._show_books, methods=["GET"]),
            Route("/faults", self._show_faults, methods=["GET"]),
            Route("/faults", self._order_faults, methods=["POST"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
            Route("/deliveries/flush", self._flush, methods=["POST"]),
            Route("/clock/advance", self._advance, methods=["POST"]),
            Route("/reset", self._reset, methods=["POST"]),
        ]
        return [Route("/healthz", self._healthy, methods=["GET"]), Mount("/admin", routes=desk)]

    async def _healthy(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _show_books(self, _: Request) -> Response:
        payments = self._books.all(Payment)
        states = Counter(delivery.state for delivery in (*self._books.all(Delivery), *self._books.all(Released)))
        shown = {
            "sessions": _listed(self._books.all(Session)),
            "payments": _listed(payments),
            "modifications": _listed(self._books.all(Modification)),
            "stored_methods": _listed(self._books.all(StoredMethod)),
            "totals": _totals(payments),
            "shoppers": {
                shopper: _totals(theirs)
                for shopper, theirs in _grouped(payments, lambda payment: payment.shopper_reference).items()
            },
            "deliveries": {state: states[state] for state in ("waiting", "delivered", "lost")},
        }
        return JSONResponse(shown)

    async def _show_faults(self, _: Request) -> Response:
        return JSONResponse(dataclasses.asdict(self._faults))

    async def _order_faults(self, request: Request) -> Response:
        try:
            self._faults.add(orjson.loads(await request.body()))
        except (UnknownFault, orjson.JSONDecodeError) as error:
            return JSONResponse({"error": str(error)}, 422)
        self._courier.wake()
        return await self._show_faults(request)

    async def _clear_faults(self, request: Request) -> Response:
        self._faults.clear()
        self._courier.wake()
        return await self._show_faults(request)

    async def _flush(self, _: Request) -> Response:
        return JSONResponse({"released": self._courier.flush()})

    async def _advance(self, request: Request) -> Response:
        try:
            self._clock.advance(float(orjson.loads(await request.body())["seconds"]))
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": 'say {"seconds": number}'}, 422)
        self._courier.wake()
        return JSONResponse({"now": self._clock()})

    async def _reset(self, _: Request) -> Response:
        self._books.clear()
        self._faults.clear()
        self._clock.restore()
        return JSONResponse({})


def _listed(records: Iterable[Record]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(record) for record in records]


def _grouped(payments: list[Payment], key: Callable[[Payment], str]) -> dict[str, list[Payment]]:
    groups: dict[str, list[Payment]] = defaultdict(list)
    for payment in payments:
        groups[key(payment)].append(payment)
    return groups


def _totals(payments: list[Payment]) -> dict[str, dict[str, int]]:
    """For each currency, what was captured and what went back, in minor units."""
    return {
        name: {
            "captured_minor": sum(payment.captured_minor for payment in group),
            "refunded_minor": sum(payment.refunded_minor for payment in group),
            "payments": sum(payment.captured_minor > 0 for payment in group),
        }
        for name, group in _grouped(payments, lambda payment: payment.currency).items()
    }
