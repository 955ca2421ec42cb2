"""The way in for every API call: who asks, under which idempotency key, and what was ordered to go wrong with it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from simulators.adyen_books import Books
from simulators.adyen_courier import Courier
from simulators.adyen_faults import Failure, Faults
from simulators.adyen_records import Answer, Payment
from simulators.adyen_requests import ApiError, Call, read

Work = Callable[[Call], tuple[int, dict[str, Any]]]

_HANGS_SECONDS = 120
_IN_PROGRESS = ApiError(422, "704", "Request already processed or in progress", "internal", transient=True)
_NO_CONNECTION = ApiError(422, "704", "No connection available", "internal", transient=True)
_UNFINISHED = ApiError(422, "704", "Request already processed or in progress", "internal")


class Api:
    """Reads calls, answers each idempotency key once, and lets `work` do within a transaction what they ask."""

    def __init__(
        self, books: Books, courier: Courier, faults: Faults, look_around: Callable[[], None], key: str, account: str
    ) -> None:
        self._books, self._courier, self._faults, self._look_around = books, courier, faults, look_around
        self._key, self._account = key, account
        self._running: set[str] = set()

    def route(self, path: str, work: Work, method: str = "POST") -> Route:
        """An endpoint. Only POST knows idempotency keys."""

        async def endpoint(request: Request) -> Response:
            key = request.headers.get("idempotency-key", "") if method == "POST" else ""
            try:
                response = await self._served(request, work, key)
            except ApiError as error:
                response = refused(error)
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
        reference = self._reference(call)
        rule = self._faults.answer(reference, request.url.path.rpartition("/")[2])
        failure, number = (rule.failure(), rule.number) if rule else (None, 0)
        if key:
            self._running.add(key)
        try:
            if failure and not failure.after_booking and (gone := await self._gone_wrong(request, failure, number)):
                return gone
            status, body = self._booked(call, work, key)
            if failure and failure.how == "told":
                await self._courier.told(reference)
            if failure and failure.after_booking and (gone := await self._gone_wrong(request, failure, number)):
                return gone
            return _answered(status, body)
        finally:
            self._running.discard(key)

    def _booked(self, call: Call, work: Work, key: str) -> tuple[int, dict[str, Any]]:
        """Do it, unless this key has been answered: then the first answer counts, whatever is asked now."""
        with self._books.transaction():
            kept = self._books.get(Answer, key) if key else None
            if kept:
                return kept.status, kept.body
            self._look_around()
            wanted = call.part("additionalData").get("RequestedTestErrorResponseCode")
            if wanted == "NO_CONNECTION_AVAILABLE":
                raise _NO_CONNECTION
            final = wanted == "IOEXCEPTION_RECEIVED"
            status, body = (_UNFINISHED.status, _UNFINISHED.body()) if final else work(call)
            if key:
                self._books.put(Answer(key, None, status, body))
            return status, body

    async def _gone_wrong(self, request: Request, failure: Failure, number: int) -> Response | None:
        """What the caller sees; nothing if it only takes long."""
        match failure.how:
            case "late":
                await asyncio.sleep(number / 1000)
                return None
            case "told":
                return None
            case "drop":
                request.state.hang_up()
                return Response(status_code=500)
            case "hang":
                for _ in range(_HANGS_SECONDS * 4):
                    if await request.is_disconnected():
                        break
                    await asyncio.sleep(0.25)
                request.state.hang_up()
                return Response(status_code=500)
            case _:
                return _failed(failure)

    def _reference(self, call: Call) -> str:
        """The merchant's reference of the payment that a call is about."""
        payment = self._books.get(Payment, call.path.get("payment", ""))
        named = call.body.get("paymentReference") or call.body.get("reference") or ""
        return payment.reference if payment else str(named)


def refused(error: ApiError) -> Response:
    """A refusal, as it is answered."""
    return JSONResponse(error.body(), error.status, {"transient-error": "true"} if error.transient else {})


def _answered(status: int, body: dict[str, Any]) -> Response:
    response = JSONResponse(body, status) if body else Response(status_code=status)
    if "pspReference" in body:
        response.headers["pspReference"] = body["pspReference"]
    return response


def _failed(failure: Failure) -> Response:
    if failure.status == 502:  # noqa: PLR2004  a gateway in between, which speaks no JSON
        return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
    headers = {"transient-error": "true"} if failure.transient else {}
    return JSONResponse(failure.body(), failure.status, headers)


async def nowhere(request: Request) -> Response:
    """For every other path."""
    return refused(ApiError(404, "000", f"No such endpoint: {request.method} {request.url.path}"))
