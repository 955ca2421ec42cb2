"""Logs: one JSON object a line on stderr, instants in UTC, nothing secret in it.

Our own events and those of every library take the same way; the last step before a line is written is to redact it,
so no caller needs to remember to.
"""

from __future__ import annotations

import logging
import re
import sys
import uuid
from collections.abc import Callable
from typing import Any, TextIO

import orjson
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor, WrappedLogger

from api.settings import LogFormat

REDACTED = "[redacted]"
LONGEST_TEXT = 20_000
DEEPEST = 6
MOST_ITEMS = 100

_SECRET_KEY = re.compile(
    r"authori[sz]ation|token|apikey|hmac|password|passwd|secret|signature|cookie|credential|sessiondata|sessionresult"
    r"|card(number|holder)|holdername|encrypted|expiry(month|year)|securitycode|^(number|cvc|cvv|pan|iban|email|phone)$"
)
_SHORTEST_CARD, _LONGEST_CARD = 13, 19
_LINKS = str.maketrans("", "", "_-. ")
_SCHEMES = re.compile(r"\b(Bearer|Token|Basic)(\s+|%20)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*")
_URL_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s/@]+@")
_UUID_OR_DIGITS = re.compile(
    r"(?P<uuid>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)|\d(?:[ -]?\d){12,}", re.ASCII
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def configure(format: LogFormat, stream: TextIO | None = None) -> None:  # noqa: A002  as the setting is called
    """Send everything that is logged in this process to stderr (or `stream`), INFO and above, in this format."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                _renderer(format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # uvicorn gives its loggers handlers of their own
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in ("httpx2", "httpcore2"):  # a line for each request, with its address
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(format: LogFormat) -> Processor:  # noqa: A002
    if format == LogFormat.JSON:
        return structlog.processors.JSONRenderer(serializer=_json)
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _json(event: EventDict, **_: object) -> str:
    return orjson.dumps(event).decode()


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Take out of an event whatever must not be read: values under telling names, credentials and cards in texts."""
    del logger, method
    return {_clean(name): _redacted(name, value, DEEPEST) for name, value in event.items()}


def _redacted(name: str, value: object, depth: int) -> Any:  # noqa: ANN401  what JSON can say
    if value is None or isinstance(value, (bool, float)):
        return value
    if _SECRET_KEY.search(name.lower().translate(_LINKS)):
        return REDACTED
    if isinstance(value, int):
        text = str(value) if abs(value) < 2**63 else _clean(str(value)[:40])
        return value if _clean(text) == text and abs(value) < 2**63 else _clean(text)
    if isinstance(value, dict) and depth:
        items = list(value.items())[:MOST_ITEMS]
        return {_clean(str(key)): _redacted(str(key), inner, depth - 1) for key, inner in items}
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return [_redacted("", inner, depth - 1) for inner in list(value)[:MOST_ITEMS]]
    return _clean(value if isinstance(value, str) else str(value))


def _clean(text: str) -> str:
    """A text without credentials and card numbers, of bounded length, and encodable."""
    text = text[:LONGEST_TEXT].encode("utf-8", "backslashreplace").decode()
    text = _SCHEMES.sub(rf"\1 {REDACTED}", text)
    text = _JWT.sub(REDACTED, text)
    text = _URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    return _UUID_OR_DIGITS.sub(_without_cards, text)


def _without_cards(found: re.Match[str]) -> str:
    """A run of digits, in groups or not, without those groups that make up a card number."""
    text = found[0]
    groups = [] if found["uuid"] else list(re.finditer(r"\d+", text))
    kept, copied, index = [], 0, 0
    while index < len(groups):
        last = _card_from(groups, index)
        if last is None:
            index += 1
        else:
            kept += [text[copied : groups[index].start()], REDACTED]
            copied, index = groups[last].end(), last + 1
    return "".join([*kept, text[copied:]])


def _card_from(groups: list[re.Match[str]], first: int) -> int | None:
    """The group that ends a card number beginning at the first, if there is one (ISO/IEC 7812)."""
    digits = ""
    for last in range(first, len(groups)):
        digits += groups[last][0]
        if len(digits) > _LONGEST_CARD:
            return None
        if len(digits) >= _SHORTEST_CARD and _is_luhn(digits):
            return last
    return None


def _is_luhn(digits: str) -> bool:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


class RequestId:
    """Gives each request a name that all its log lines carry and its answer shows: the caller's own, if it is fit."""

    def __init__(self, app: ASGIApp, make: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._app, self._make = app, make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist("x-request-id")
        name = given[0] if len(given) == 1 and _is_fit(given[0]) else self._make()

        async def named(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["x-request-id"] = name
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=name):
            await self._app(scope, receive, named)


def _is_fit(name: str) -> bool:
    return bool(_REQUEST_ID.fullmatch(name)) and _clean(name) == name
