"""The stand-in's Checkout API, under /v72 and every other version."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from simulators.adyen_bank import Bank, Clock, new_reference
from simulators.adyen_books import Answer, Books, Payment, Session, StoredMethod
from simulators.adyen_faults import Failure, Faults
from simulators.adyen_requests import ApiError, Call, read

Work = Callable[[Call], tuple[int, dict[str, Any]]]

_LONGEST_SESSION_SECONDS = 24 * 3600
_IN_PROGRESS = ApiError(422, "704", "Request already processed or in progress", "internal", transient=True)


class Checkout:
    """Reads calls, answers each idempotency key once, and lets the bank do what they ask."""

    def __init__(self, books: Books, bank: Bank, clock: Clock, faults: Faults, key: str, account: str) -> None:
        self._books, self._bank, self._clock, self._faults = books, bank, clock, faults
        self._key, self._account = key, account
        self._running: set[str] = set()

    def routes(self) -> Mount:
        """The API, below its version."""
        modified = [
            self._route(f"/payments/{{payment}}/{kind}", self._modification(kind))
            for kind in ("captures", "refunds", "cancels", "amountUpdates")
        ]
        return Mount(
            "/v{version:int}",
            routes=[
                self._route("/sessions", self._open_session),
                self._route("/sessions/{session}", self._tell_session, "GET"),
                self._route("/payments", self._pay),
                *modified,
                self._route("/cancels", self._cancel_by_reference),
                self._route("/paymentMethods", self._list_methods),
                self._route("/storedPaymentMethods", self._list_stored, "GET"),
                self._route("/storedPaymentMethods/{method}", self._forget_stored, "DELETE"),
                Route("/{rest:path}", _nowhere, methods=["GET", "POST", "DELETE", "PATCH"]),
            ],
        )

    def _route(self, path: str, work: Work, method: str = "POST") -> Route:
        async def endpoint(request: Request) -> Response:
            key = request.headers.get("idempotency-key", "") if method == "POST" else ""
            try:
                response = await self._served(request, work, key)
            except ApiError as error:
                response = JSONResponse(error.body(), error.status)
                if error.transient:
                    response.headers["transient-error"] = "true"
            if key:
                response.headers["Idempotency-Key"] = key
            return response

        return Route(path, endpoint, methods=[method])

    async def _served(self, request: Request, work: Work, key: str) -> Response:
        if not hmac.compare_digest(request.headers.get("x-api-key", "").encode(), self._key.encode()):
            raise ApiError(401, "000", "HTTP Status Response - Unauthorized", "security")
        if len(key) > 64:  # noqa: PLR2004  Adyen's limit
            raise ApiError(422, "702", "The idempotency key is longer than 64 characters")
        call = await read(request, self._account)
        if key in self._running:
            raise _IN_PROGRESS
        if failure := self._faults.failure(request.url.path, after_booking=False):
            return _failed(failure)
        if key:
            self._running.add(key)
        try:
            status, body = self._booked(call, work, key)
            return await self._answered(request, status, body)
        finally:
            self._running.discard(key)

    def _booked(self, call: Call, work: Work, key: str) -> tuple[int, dict[str, Any]]:
        """Do it, unless this key has been answered: then the first answer counts, whatever is asked now."""
        with self._books.transaction():
            kept = self._books.get(Answer, key) if key else None
            if kept:
                return kept.status, kept.body
            self._bank.expire_what_is_due()
            status, body = work(call)
            if key:
                self._books.put(Answer(key, None, status, body))
            return status, body

    async def _answered(self, request: Request, status: int, body: dict[str, Any]) -> Response:
        """The answer, or what the faults make of it. By now all is booked."""
        if self._faults.answer_delay_seconds:
            await asyncio.sleep(self._faults.answer_delay_seconds)
        if self._faults.take("drop_response"):
            request.state.hang_up()
        if failure := self._faults.failure(request.url.path, after_booking=True):
            return _failed(failure)
        response = JSONResponse(body, status) if body else Response(status_code=status)
        if "pspReference" in body:
            response.headers["pspReference"] = body["pspReference"]
        return response

    def _open_session(self, call: Call) -> tuple[int, dict[str, Any]]:
        amount_minor, currency = call.amount()
        now = self._clock()
        expires_at = _instant(call.text("expiresAt", 40)) or now + 3600
        if not now < expires_at <= now + _LONGEST_SESSION_SECONDS:
            raise ApiError(422, "702", "The field 'expiresAt' is not within the next 24 hours")
        session = Session(
            id=f"CS{secrets.token_hex(9).upper()}",
            due=expires_at,
            psp_reference=new_reference(),
            reference=call.reference(),
            amount_minor=amount_minor,
            currency=currency,
            return_url=call.text("returnUrl", 1024, ("14_030", "Return URL is missing.")),
            shopper_reference=call.text("shopperReference", 256),
            manual=call.manual(),
            stores=call.text("storePaymentMethodMode", 20) in {"enabled", "askForConsent"},
            session_data=f"Ab02b4c0!{secrets.token_urlsafe(96)}",
            expires_at=expires_at,
        )
        self._books.put(session)
        echoed = ("amount", "countryCode", "merchantAccount", "mode", "reference", "returnUrl", "shopperReference")
        body = {name: call.body[name] for name in echoed if name in call.body} | {
            "id": session.id,
            "expiresAt": datetime.fromtimestamp(expires_at, UTC).isoformat(timespec="seconds"),
            "sessionData": session.session_data,
        }
        return 201, body | ({"url": f"{call.server}/pay/{session.id}"} if call.body.get("mode") == "hosted" else {})

    def _tell_session(self, call: Call) -> tuple[int, dict[str, Any]]:
        """What a `sessionResult` says, which never changes; without one, how the session stands now."""
        session = self._books.get(Session, call.path["session"])
        if session is None:
            raise ApiError(404, "000", "Session not found")
        asked = call.query.get("sessionResult", "")
        if asked and asked not in session.results:
            raise ApiError(422, "702", "Invalid sessionResult")
        status = session.results.get(asked, session.status)
        return 200, {"id": session.id, "status": status, "reference": session.reference}

    def _pay(self, call: Call) -> tuple[int, dict[str, Any]]:
        payment = self._bank.pay(call.wish(self._books), call.outcome())
        body: dict[str, Any] = {
            "pspReference": payment.id,
            "resultCode": payment.result_code,
            "amount": {"currency": payment.currency, "value": payment.amount_minor},
            "merchantReference": payment.reference,
            "paymentMethod": {"brand": payment.method, "type": call.part("paymentMethod").get("type", "scheme")},
        }
        if payment.refusal_code:
            body |= {"refusalReason": payment.refusal_reason, "refusalReasonCode": payment.refusal_code}
        return 200, body

    def _modification(self, kind: str) -> Work:
        def work(call: Call) -> tuple[int, dict[str, Any]]:
            payment = self._books.get(Payment, call.path["payment"])
            if payment is None:
                raise ApiError(422, "167", "Original pspReference required for this operation")
            return self._modified(kind, payment, call, {"paymentPspReference": payment.id})

        return work

    def _cancel_by_reference(self, call: Call) -> tuple[int, dict[str, Any]]:
        named = call.text("paymentReference", 80, ("167", "Original pspReference required for this operation"))
        found = [payment for payment in self._books.all(Payment) if payment.reference == named]
        if not found:  # received all the same, and nothing ever comes of it
            return 201, _received(call, new_reference(), {"paymentReference": named})
        open_first = sorted(found, key=lambda payment: payment.status != "authorised")
        return self._modified("technicalCancels", open_first[0], call, {"paymentReference": named})

    def _modified(self, kind: str, payment: Payment, call: Call, names: dict[str, str]) -> tuple[int, dict[str, Any]]:
        amount_minor, currency = payment.amount_minor, payment.currency
        if kind not in {"cancels", "technicalCancels"}:
            amount_minor, currency = call.amount(least=1)
        if currency != payment.currency:
            raise ApiError(422, "138", "Unsupported currency specified")
        made = self._bank.modify(kind, payment, amount_minor, call.text("reference", 80))
        return 201, _received(call, made.id, names)

    def _list_methods(self, call: Call) -> tuple[int, dict[str, Any]]:
        methods = [
            {"brands": ["visa", "mc"], "name": "Cards", "type": "scheme"},
            {"name": "Apple Pay", "type": "applepay"},
            {"name": "Google Pay", "type": "googlepay"},
        ]
        stored = self._stored_of(call.text("shopperReference", 256))
        return 200, {"paymentMethods": methods} | ({"storedPaymentMethods": stored} if stored else {})

    def _list_stored(self, call: Call) -> tuple[int, dict[str, Any]]:
        shopper = call.query.get("shopperReference", "")
        named = {"merchantAccount": self._account, "shopperReference": shopper}
        return 200, named | {"storedPaymentMethods": self._stored_of(shopper)}

    def _forget_stored(self, call: Call) -> tuple[int, dict[str, Any]]:
        stored = self._books.get(StoredMethod, call.path["method"])
        if stored is None or stored.shopper_reference != call.query.get("shopperReference"):
            raise ApiError(422, "800", "Contract not found")
        self._books.remove(stored)
        return 204, {}

    def _stored_of(self, shopper: str) -> list[dict[str, Any]]:
        return [
            {
                "brand": stored.brand,
                "expiryMonth": "03",
                "expiryYear": "2030",
                "id": stored.id,
                "lastFour": "1111",
                "name": stored.brand.upper(),
                "shopperReference": shopper,
                "supportedRecurringProcessingModels": ["CardOnFile", "UnscheduledCardOnFile"],
                "type": "scheme",
            }
            for stored in self._books.all(StoredMethod)
            if stored.shopper_reference == shopper
        ]


def _received(call: Call, reference: str, names: dict[str, str]) -> dict[str, Any]:
    echoed = {name: call.body[name] for name in ("merchantAccount", "reference", "amount") if name in call.body}
    return echoed | names | {"pspReference": reference, "status": "received"}


def _instant(text: str) -> float:
    """Seconds since 1970, of an ISO instant that names its offset; 0 for no text."""
    try:
        instant = datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)
    except ValueError as error:
        raise ApiError(422, "702", "The field 'expiresAt' is not an instant") from error
    if instant.tzinfo is None:
        raise ApiError(422, "702", "The field 'expiresAt' names no offset")
    return instant.timestamp()


def _failed(failure: Failure) -> Response:
    if failure.status == 502:  # noqa: PLR2004  a gateway in between, which speaks no JSON
        return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
    headers = {"transient-error": "true"} if failure.transient else {}
    return JSONResponse(failure.body(), failure.status, headers)


async def _nowhere(request: Request) -> Response:
    error = ApiError(404, "000", f"No such endpoint: {request.method} {request.url.path}")
    return JSONResponse(error.body(), error.status)
