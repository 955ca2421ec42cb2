"""Every request of a partner: whose token it carries, how much it may say, and the envelope around the answer."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router

from api.keys import Keys
from api.ocpi.reading import NotJson, read_json
from api.ocpi.refusals import answer_to
from api.ocpi.wire import Answer, Code, envelope
from domain.errors import DomainError
from domain.ids import OperatorId
from domain.ledger import Cause
from domain.partners import Party
from domain.services import Services

MOST_BYTES = 1024 * 1024
_WRITES = frozenset({"PUT", "PATCH", "POST"})
_NAME = re.compile(r"[!-~]{1,64}")
_ROLE = re.compile(r"[A-Za-z0-9]{1,3}")
_SWAPPED = {"ocpi-from": "OCPI-to", "ocpi-to": "OCPI-from"}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a known party: the names in its address, its body, and the cause of what it moves."""

    party: Party
    names: Mapping[str, str]
    body: Mapping[str, object]
    cause: Cause


Verb = Callable[[Asked], Awaitable[Answer]]


class Refused(Exception):
    """A request that ends before it reaches the domain."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


class Door:
    """Turns requests into verbs for the parties of one operator."""

    def __init__(self, services: Services, operator: OperatorId, keys: Keys) -> None:
        self._services = services
        self._operator = operator
        self._keys = keys

    def mount(self, routes: Sequence[BaseRoute]) -> Mount:
        """These routes below `/ocpi`; whatever fails in them is said in OCPI's envelope."""
        handlers = {HTTPException: self._http_error, ClientDisconnect: self._gone, Exception: self._bug}
        return Mount("/ocpi", ExceptionMiddleware(Router(routes, redirect_slashes=False), handlers))

    def route(self, path: str, **verbs: Verb) -> Route:
        """One address, with a verb for each HTTP method. `country_code` and `party_id` in it must be the sender's."""

        async def endpoint(request: Request) -> Response:
            try:
                asked = await self._asked(request)
                answer = await verbs["GET" if request.method == "HEAD" else request.method](asked)
            except Refused as refused:
                answer = refused.answer
            except DomainError as refusal:
                answer = answer_to(refusal)
            return self._response(request, answer)

        return Route(path, endpoint, methods=list(verbs))

    async def _asked(self, request: Request) -> Asked:
        party = await self._party(request)
        names: Mapping[str, str] = request.path_params
        role = (names.get("country_code", party.country_code), names.get("party_id", party.party_id))
        if tuple(part.upper() for part in role) != (party.country_code, party.party_id):
            raise Refused(Answer(message="This is not a party of yours.", http=404, code=Code.INVALID))
        body = await _body(request) if request.method in _WRITES else {}
        actor = f"ocpi:{party.country_code}*{party.party_id}"
        return Asked(party, names, body, Cause(actor, _request_id(request)))

    async def _party(self, request: Request) -> Party:
        """Whose token it is. A wrong one costs what a missing one does: two hashes and two look-ups."""
        party = None
        for token in _tokens(request):
            party = party or await self._services.partners.party_by_token(self._keys.token_hash(token))
        if party is None or party.operator_id != self._operator:
            challenge = {"WWW-Authenticate": "Token"}
            raise Refused(Answer(message="Unknown token.", http=401, code=Code.INVALID, headers=challenge))
        return party

    def _response(self, request: Request, answer: Answer) -> Response:
        if answer.code is not Code.DONE:
            facts = {"method": request.method, "path": request.url.path, "http": answer.http, "code": int(answer.code)}
            _log.info("ocpi_refused", **facts, message=answer.message, request_id=_request_id(request))
        body = envelope(answer, self._services.clock.now())
        headers = {**_echoed(request), **answer.headers}
        return Response(body, answer.http, headers, "application/json")

    async def _http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        answer = Answer(
            message=error.detail, http=error.status_code, code=Code.CLIENT_ERROR, headers=error.headers or {}
        )
        return self._response(request, answer)

    async def _gone(self, request: Request, error: Exception) -> Response:
        """Nobody is there to read it."""
        del error
        return self._response(request, Answer(message="Incomplete.", http=400, code=Code.CLIENT_ERROR))

    async def _bug(self, request: Request, error: Exception) -> Response:
        name = _request_id(request)
        _log.error("ocpi_failed", method=request.method, path=request.url.path, request_id=name, exc_info=error)
        message = f"Something went wrong here; it is logged as {name}."
        return self._response(request, Answer(message=message, http=500, code=Code.SERVER_ERROR))


def _tokens(request: Request) -> tuple[str, str]:
    """What the header may mean: the base64 that OCPI prescribes, or the token as it is."""
    given = request.headers.getlist("authorization")
    scheme, _, said = (given[0] if len(given) == 1 else "").partition(" ")
    said = said.strip() if scheme.lower() == "token" else ""
    return _decoded(said), said


def _decoded(said: str) -> str:
    try:
        return base64.b64decode(said, validate=True).decode().strip()
    except ValueError:
        return ""


async def _body(request: Request) -> Mapping[str, object]:
    """The JSON object of a request, exact. Raises Refused."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told) > MOST_BYTES:
        raise _too_much()
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise _too_much()
    try:
        body = read_json(bytes(raw))
    except NotJson as error:
        raise Refused(Answer(message=str(error), http=400, code=Code.CLIENT_ERROR)) from None
    if not isinstance(body, Mapping):
        raise Refused(Answer(message="The body is not a JSON object.", http=400, code=Code.INVALID))
    return body


def _too_much() -> Refused:
    return Refused(Answer(message=f"More than {MOST_BYTES} bytes.", http=413, code=Code.CLIENT_ERROR))


def _request_id(request: Request) -> str:
    """The name of a request: the sender's own if it is fit, else the one that our logs use, else a new one."""
    if not hasattr(request.state, "request_id"):
        said = request.headers.get("x-request-id", "")
        ours = structlog.contextvars.get_contextvars().get("request_id")
        request.state.request_id = said if _NAME.fullmatch(said) else str(ours or uuid.uuid4())
    return str(request.state.request_id)


def _echoed(request: Request) -> dict[str, str]:
    """Names of request and chain, and the routing headers with sender and receiver swapped."""
    name, chain = _request_id(request), request.headers.get("x-correlation-id", "")
    headers = {"X-Request-ID": name, "X-Correlation-ID": chain if _NAME.fullmatch(chain) else name}
    for said, swapped in _SWAPPED.items():
        for part in ("country-code", "party-id"):
            value = request.headers.get(f"{said}-{part}", "")
            if _ROLE.fullmatch(value):
                headers[f"{swapped}-{part}"] = value
    return headers
