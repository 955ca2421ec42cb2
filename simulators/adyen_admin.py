"""The stand-in's desk for tests and demos: read the books, order faults, move the clock, let cardholders complain.

It asks for no credential, and answers this machine only.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from simulators.adyen_books import Books, Clock
from simulators.adyen_courier import Courier
from simulators.adyen_disputes import BadMove, Disputes
from simulators.adyen_faults import Faults, UnknownFault
from simulators.adyen_records import (
    Delivery,
    Dispute,
    Loose,
    Modification,
    Movement,
    Payment,
    Record,
    Released,
    Report,
    Session,
    StoredMethod,
    TokenDelivery,
)
from simulators.adyen_settlement import Settlement, UnknownDefect

_LISTED = {
    "sessions": Session,
    "payments": Payment,
    "modifications": Modification,
    "movements": Movement,
    "disputes": Dispute,
    "stored_methods": StoredMethod,
}
_HERE = {"127.0.0.1", "::1"}


class Desk:
    """What Adyen does not have."""

    def __init__(
        self,
        books: Books,
        courier: Courier,
        clock: Clock,
        faults: Faults,
        disputes: Disputes,
        settlement: Settlement,
    ) -> None:
        self._books, self._courier, self._clock, self._faults = books, courier, clock, faults
        self._disputes, self._settlement = disputes, settlement

    def routes(self) -> list[Route | Mount]:
        """Everything below /admin, and the sign of life."""
        desk = {
            ("GET", "/books"): self._show_books,
            ("GET", "/faults"): self._show_faults,
            ("POST", "/faults"): self._order_faults,
            ("DELETE", "/faults"): self._clear_faults,
            ("POST", "/deliveries/flush"): self._flush,
            ("POST", "/clock/advance"): self._advance_clock,
            ("POST", "/disputes"): self._begin,
            ("POST", "/disputes/{dispute}/advance"): self._advance,
            ("POST", "/day-end"): self._end_day,
            ("POST", "/reset"): self._reset,
        }
        routes = [Route(path, _here(work), methods=[method]) for (method, path), work in desk.items()]
        return [Route("/healthz", self._healthy, methods=["GET"]), Mount("/admin", routes=routes)]

    async def _healthy(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _show_books(self, request: Request) -> Response:
        """Everything; or with `?only=shoppers` the totals alone."""
        payments = self._books.all(Payment)
        kinds = (Delivery, Released, Loose)
        states = Counter(delivery.state for kind in kinds for delivery in self._books.all(kind))
        token_states = Counter(delivery.state for delivery in self._books.all(TokenDelivery))
        shoppers = _grouped(payments, lambda payment: payment.shopper_reference)
        shown: dict[str, Any] = {
            "totals": _totals(payments),
            "shoppers": {shopper: _totals(theirs) for shopper, theirs in shoppers.items()},
            "deliveries": {state: states[state] for state in ("waiting", "delivered", "lost")},
            "token_deliveries": {state: token_states[state] for state in ("waiting", "delivered", "lost")},
            "reports": [report.id for report in self._books.all(Report)],
        }
        if request.query_params.get("only") != "shoppers":
            shown |= {name: _listed(self._books.all(kind)) for name, kind in _LISTED.items()}
        return JSONResponse(shown)

    async def _show_faults(self, _: Request) -> Response:
        return JSONResponse(dataclasses.asdict(self._faults))

    async def _order_faults(self, request: Request) -> Response:
        self._faults.add(orjson.loads(await request.body()))
        self._courier.wake()
        return await self._show_faults(request)

    async def _clear_faults(self, request: Request) -> Response:
        self._faults.clear()
        self._courier.wake()
        return await self._show_faults(request)

    async def _flush(self, _: Request) -> Response:
        return JSONResponse({"released": self._courier.flush()})

    async def _advance_clock(self, request: Request) -> Response:
        self._clock.advance(float((await _order(request))["seconds"]))
        self._courier.wake()
        return JSONResponse({"now": self._clock()})

    async def _begin(self, request: Request) -> Response:
        """`{"payment": pspReference, "event": "CHARGEBACK", "amount"?: minor units, "reasonCode"?: "10.4"}`."""
        order = await _order(request)
        payment = self._books.get(Payment, order["payment"])
        if payment is None:
            raise BadMove(f"no payment {order['payment']}")
        with self._books.transaction():
            reason, amount = str(order.get("reasonCode", "10.4")), order.get("amount")
            begun = self._disputes.begin(payment, str(order.get("event", "CHARGEBACK")), amount, reason)
        return JSONResponse(dataclasses.asdict(begun), 201)

    async def _advance(self, request: Request) -> Response:
        """`{"event": "CHARGEBACK_REVERSED", "amount"?: minor units}`."""
        order = await _order(request)
        dispute = self._books.get(Dispute, request.path_params["dispute"])
        if dispute is None:
            raise BadMove("no such dispute")
        with self._books.transaction():
            moved = self._disputes.advance(dispute, str(order["event"]), order.get("amount"))
        return JSONResponse(dataclasses.asdict(moved))

    async def _end_day(self, request: Request) -> Response:
        """`{"defects"?: ["missing_there", …]}`: the file's name, and the rows in which something is wrong."""
        order = await _order(request) if await request.body() else {}
        with self._books.transaction():
            report, planted = self._settlement.end_day(order.get("defects", []), str(request.base_url).rstrip("/"))
        return JSONResponse({"file": report.id, "batch": report.batch, "defects": planted}, 201)

    async def _reset(self, _: Request) -> Response:
        self._books.clear()
        self._faults.clear()
        self._clock.restore()
        return JSONResponse({})


def _here(work: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Only for callers on this machine; an order that nobody understands is one line."""

    async def endpoint(request: Request) -> Response:
        if request.client is None or request.client.host not in _HERE:
            return JSONResponse({"error": "the desk is on this machine"}, 403)
        try:
            return await work(request)
        except (UnknownFault, UnknownDefect, BadMove, ValueError, KeyError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 422)

    return endpoint


async def _order(request: Request) -> dict[str, Any]:
    order = orjson.loads(await request.body())
    if not isinstance(order, dict):
        raise TypeError("an order is an object")
    return order


def _listed(records: Iterable[Record]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(record) for record in records]


def _grouped(payments: list[Payment], key: Callable[[Payment], str]) -> dict[str, list[Payment]]:
    groups: dict[str, list[Payment]] = defaultdict(list)
    for payment in payments:
        groups[key(payment)].append(payment)
    return groups


def _totals(payments: list[Payment]) -> dict[str, dict[str, int]]:
    """For each currency, what was captured, what went back, and what is left of it, in minor units."""
    return {
        name: {
            "captured_minor": sum(payment.captured_minor for payment in group),
            "refunded_minor": sum(payment.refunded_minor for payment in group),
            "charged_back_minor": sum(payment.charged_back_minor for payment in group),
            "left_minor": sum(_left(payment) for payment in group),
            "payments": sum(payment.captured_minor > 0 for payment in group),
        }
        for name, group in _grouped(payments, lambda payment: payment.currency).items()
    }


def _left(payment: Payment) -> int:
    return payment.captured_minor - payment.refunded_minor - payment.charged_back_minor
