"""Adyen's Data Protection API: forget who paid."""

from __future__ import annotations

from typing import Any

from starlette.routing import Mount

from simulators.adyen_api import Api
from simulators.adyen_books import Books
from simulators.adyen_records import Payment, StoredMethod
from simulators.adyen_requests import Call


class Erasure:
    """Forgets the shopper of a payment; a stored card stands against it, unless the erasure is forced."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def routes(self, api: Api) -> Mount:
        """The one call of it, below its version."""
        route = api.route("/requestSubjectErasure", self._erase)
        return Mount("/ca/services/DataProtectionService/v{version:int}", routes=[route])

    def _erase(self, call: Call) -> tuple[int, dict[str, Any]]:
        payment = self._books.get(Payment, call.text("pspReference", 16))
        if payment is None:
            return 200, {"result": "PAYMENT_NOT_FOUND"}
        if payment.erased:
            return 200, {"result": "ALREADY_PROCESSED"}
        stored = self._books.of(StoredMethod, payment.shopper_reference) if payment.shopper_reference else []
        if stored and call.body.get("forceErasure") is not True:
            return 200, {"result": "ACTIVE_RECURRING_TOKEN_EXISTS"}
        for one in stored:
            self._books.remove(one)
        payment.erased = True
        self._books.put(payment)
        return 200, {"result": "SUCCESS"}
