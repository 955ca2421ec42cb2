"""POST /webhooks/adyen: verify every item of a delivery, store it raw, answer. What it means is found out later.

A delivery is refused as a whole or stored as a whole, and Adyen hears 202 only after the commit. Signatures are Adyen's
standard ones: HMAC-SHA256 over eight fields joined by colons, nothing escaped; everything else in an item is unsigned.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from api.adyen import from_adyen
from domain.errors import TryAgain
from domain.ids import OperatorId
from domain.payments import Inbox, SignedItem

LARGEST_BODY = 1_000_000
MOST_ITEMS = 1_000
PATIENCE_SECONDS = 10

_NEEDED = ("pspReference", "merchantAccountCode", "eventCode", "success")
_OPTIONAL = ("originalReference", "merchantReference")
_SIGNED = frozenset({*_NEEDED, *_OPTIONAL, "amount"})
_LARGEST_VALUE = 10**30
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookAccount:
    """What proves that a delivery is Adyen's: basic auth, and one HMAC key, or the current and the previous, in hex."""

    user: str
    password: str = field(repr=False)
    hmac_keys: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """The fields of an item that its signature covers, as they were sent."""

    psp_reference: str
    original_reference: str | None
    merchant_account: str
    merchant_reference: str | None
    value: str | None
    currency: str | None
    event_code: str
    success: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why an item is not believed: `malformed`, `ambiguous` or `signature`."""

    reason: str


class BadDelivery(Exception):
    """The whole delivery is refused; nothing of it is stored."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def routes(
    inbox: Inbox, operator: OperatorId, account: WebhookAccount, on_kept: Callable[[], None] | None = None
) -> list[BaseRoute]:
    """The endpoint of standard webhooks. `on_kept` is called after each commit: somebody should read the inbox."""
    door = _Door(inbox, operator, account, on_kept)
    return [Route("/webhooks/adyen", door.deliver, methods=["POST"])]


def verified(item: object, keys: Sequence[bytes]) -> Signed | Rejected:
    """The signed fields of an item, if one of the keys signed it. Returns, whatever comes in."""
    signed = _signed_fields(item)
    if isinstance(signed, Rejected) or not isinstance(item, dict):
        return signed
    extra = item.get("additionalData")
    given = extra.get("hmacSignature") if isinstance(extra, dict) else None
    if not isinstance(given, str):
        return Rejected("signature")
    text, sent = _signing_text(signed), given.encode("utf-8", "surrogatepass")
    right = [hmac.compare_digest(base64.b64encode(hmac.digest(key, text, "sha256")), sent) for key in keys]
    return signed if any(right) else Rejected("signature")


def _signed_fields(item: object) -> Signed | Rejected:
    if not isinstance(item, dict):
        return Rejected("malformed")
    amount = {} if item.get("amount") is None else item["amount"]  # a cancellation may lack it
    texts = [item.get(name) for name in _NEEDED] + [_or_empty(item.get(name)) for name in _OPTIONAL]
    if not isinstance(amount, dict) or not all(isinstance(text, str) for text in texts):
        return Rejected("malformed")
    psp, account, code, success, original, reference = map(str, texts)
    value, currency = _digits(amount.get("value")), _or_empty(amount.get("currency"))
    if value is None or not isinstance(currency, str) or not re.fullmatch(r"(?:[A-Z]{3})?", currency):
        return Rejected("malformed")
    if success not in ("true", "false"):
        return Rejected("malformed")
    if any(":" in text for text in (psp, original, account, code)):
        return Rejected("ambiguous")  # fields are joined by colons and not escaped: two items could sign alike
    return Signed(
        psp, original or None, account, reference or None, value or None, currency or None, code, success == "true"
    )


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _digits(value: object) -> str | None:
    """The value as it was sent, in digits; empty if there is none, None if it is no whole number."""
    if value is None:
        return ""
    if type(value) is int:
        return str(value) if abs(value) < _LARGEST_VALUE else None
    return value if isinstance(value, str) and re.fullmatch(r"(?:-?[0-9]{1,30})?", value) else None


def _signing_text(signed: Signed) -> bytes:
    parts = (
        signed.psp_reference,
        signed.original_reference or "",
        signed.merchant_account,
        signed.merchant_reference or "",
        signed.value or "",
        signed.currency or "",
        signed.event_code,
        "true" if signed.success else "false",
    )
    return ":".join(parts).encode("utf-8", "surrogatepass")


class _Door:
    """One endpoint and what it needs to know."""

    def __init__(
        self, inbox: Inbox, operator: OperatorId, account: WebhookAccount, on_kept: Callable[[], None] | None
    ) -> None:
        self._inbox = inbox
        self._operator = operator
        self._credentials = base64.b64encode(f"{account.user}:{account.password}".encode())
        self._keys = [bytes.fromhex(key) for key in account.hmac_keys]
        self._on_kept = on_kept
        assert self._keys, "without a key nothing can be believed"

    async def deliver(self, request: Request) -> Response:
        """Take one delivery in."""
        try:
            raw = await _body(request)
            self._authenticate(request)
            items = self._read(raw)
            new = await self._inbox.keep(self._operator, raw, items)
        except BadDelivery as refusal:
            _log.warning("adyen_delivery_refused", status=refusal.status, reason=refusal.reason)
            asks = {"WWW-Authenticate": "Basic"} if refusal.status == 401 else None  # noqa: PLR2004  unauthorized
            return PlainTextResponse(refusal.reason, refusal.status, headers=asks)
        except (TryAgain, OSError) as error:
            _log.error("adyen_delivery_not_kept", error=type(error).__name__)
            return PlainTextResponse("busy", 503, headers={"Retry-After": "5"})
        if self._on_kept is not None:
            self._on_kept()
        _log.info("adyen_delivery_kept", items=len(items), new=new)
        return PlainTextResponse("[accepted]", 202)

    def _authenticate(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode(), self._credentials)
        if scheme.lower() != "basic" or not is_right:
            raise BadDelivery(401, "credentials")

    def _read(self, raw: bytes) -> list[SignedItem]:
        try:
            live, items = _envelope(_parsed(raw))
            return [self._believed(item, live) for item in items]
        except (ValueError, RecursionError):
            raise BadDelivery(400, "malformed") from None

    def _believed(self, item: dict[str, Any], live: str) -> SignedItem:
        signed = verified(item, self._keys)
        if isinstance(signed, Rejected):
            raise BadDelivery(401 if signed.reason == "signature" else 400, signed.reason)
        amount = None
        if signed.value is not None and signed.currency is not None:
            amount = from_adyen(int(signed.value), signed.currency)
        extra = item["additionalData"]
        shown = {**item, "additionalData": {name: extra[name] for name in extra if name != "hmacSignature"}}
        unsigned = {"live": live, **{name: shown[name] for name in shown if name not in _SIGNED}}
        return SignedItem(
            item_sha256=hashlib.sha256(_canonical(shown).encode()).hexdigest(),
            event_code=signed.event_code,
            success=signed.success,
            psp_reference=signed.psp_reference,
            original_reference=signed.original_reference,
            merchant_account=signed.merchant_account,
            merchant_reference=signed.merchant_reference,
            value_sent=signed.value,
            amount=amount,
            currency=signed.currency,
            unsigned=_canonical(unsigned),
        )


async def _body(request: Request) -> bytes:
    """The body, read no further than it may be long."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > LARGEST_BODY:
                    raise BadDelivery(413, "too long")
                parts.append(part)
    except TimeoutError:
        raise BadDelivery(408, "too slow") from None
    except ClientDisconnect:
        raise BadDelivery(400, "broken off") from None
    return b"".join(parts)


def _parsed(raw: bytes) -> object:
    """Strict JSON: UTF-8, no key twice, no NaN; numbers that are not whole stay text. Raises ValueError."""
    return json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=str)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _envelope(body: object) -> tuple[str, list[dict[str, Any]]]:
    """`live` and the items. Raises ValueError."""
    found = body if isinstance(body, dict) else {}
    live, wrapped = found.get("live"), found.get("notificationItems")
    if live not in ("true", "false") or not isinstance(wrapped, list) or not 1 <= len(wrapped) <= MOST_ITEMS:
        raise ValueError("not an envelope")
    items = [one.get("NotificationRequestItem") if isinstance(one, dict) else None for one in wrapped]
    if not all(isinstance(item, dict) for item in items):
        raise ValueError("an item is not wrapped")
    return str(live), [dict(item) for item in items if isinstance(item, dict)]


def _canonical(value: Mapping[str, Any]) -> str:
    """The same text for the same content, in ASCII: no store refuses it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
