"""AdyenGateway: answers `domain.payments.PaymentGateway` with Adyen's official SDK. Only this file imports `Adyen`.

The SDK is synchronous: it runs in a few threads of our own, over connections that stay open. Whatever comes back is one
of four answers; nothing is raised, and no key, address or answer of Adyen is ever logged.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Literal
from uuid import UUID

import requests
import structlog
from Adyen import AdyenClient
from Adyen.exceptions import AdyenError
from Adyen.services.checkout import AdyenCheckoutApi
from requests import exceptions as line
from urllib3 import exceptions as wire

from domain.money import DIGITS, Money
from domain.payments import Answered, CheckoutRequest, NotSent, Outcome, Refused, Unknown

AT_ONCE = 16
"""Calls under way at once; more are not sent."""
CONNECT_SECONDS = 2
LARGEST_MINOR = 1_000_000_000_000
ADYEN_DIGITS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
"""Decimals that Adyen counts in where it differs from ISO 4217."""

_LONGEST_SESSION_ID = 80
_IN_PROGRESS, _KEYS_AWAY = "704", "703"
_NO_HANDSHAKE = {
    "CERTIFICATE_VERIFY_FAILED",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "WRONG_VERSION_NUMBER",
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AdyenAccount:
    """Whose account, and where Adyen is. `base_url` is the address of a stand-in and never goes with `live`."""

    api_key: str = field(repr=False)
    merchant_account: str
    environment: Literal["test", "live"] = "test"
    live_prefix: str | None = None
    base_url: str | None = None
    theme_id: str | None = None
    timeout_seconds: int = 8

    def __post_init__(self) -> None:
        assert self.api_key, "an API key is needed"
        assert self.environment == "test" or self.live_prefix, "live needs the prefix of its endpoints"
        assert self.environment == "test" or not self.base_url, "the live key is for Adyen alone"


def to_adyen(amount: Money) -> int | None:
    """Minor units as Adyen counts them; None if there is no exact one."""
    more = ADYEN_DIGITS.get(amount.currency, DIGITS[amount.currency]) - DIGITS[amount.currency]
    return _scaled(amount.minor, more)


def from_adyen(value: int, currency: str) -> Money | None:
    """Money from Adyen's minor units; None if it is negative, huge, not exact, or in no currency of ours."""
    if currency not in DIGITS or not 0 <= value <= LARGEST_MINOR:
        return None
    minor = _scaled(value, DIGITS[currency] - ADYEN_DIGITS.get(currency, DIGITS[currency]))
    return None if minor is None or minor > LARGEST_MINOR else Money(minor, currency)


def _scaled(value: int, digits: int) -> int | None:
    if digits >= 0:
        return int(value * 10**digits)
    whole, rest = divmod(value, 10**-digits)
    return None if rest else int(whole)


class AdyenGateway:
    """A payment provider behind the SDK: bounded in calls, time and words."""

    def __init__(self, account: AdyenAccount) -> None:
        self._account = account
        client = AdyenClient(
            xapikey=account.api_key, platform=account.environment, live_endpoint_prefix=account.live_prefix
        )
        client.http_client, client.http_init = _Line(account), True
        self._payments = AdyenCheckoutApi(client=client).payments_api
        if account.base_url:
            self._payments.baseUrl = f"{account.base_url.rstrip('/')}/v72"
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="adyen")
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    @property
    def merchant_account(self) -> str:
        """The account whose clearing balance we keep."""
        return self._account.merchant_account

    async def open_checkout(self, request: CheckoutRequest, key: UUID) -> Outcome:
        """Open a hosted checkout; the same key is the same checkout. Never raises."""
        value = to_adyen(request.amount)
        if value is None:
            return Refused("amount_not_representable")
        if not self._slots.acquire(blocking=False):
            return NotSent("too many calls at once")
        call = self._threads.submit(self._sessions, self._body(request, value), str(key))
        answer = asyncio.shield(asyncio.wrap_future(call))  # its thread gives the slot back, also when nobody waits
        try:
            return await asyncio.wait_for(answer, CONNECT_SECONDS + self._account.timeout_seconds)
        except TimeoutError:
            return Unknown("no answer in time")

    def close(self) -> None:
        """Take no more calls; those under way end by themselves, within their timeout."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _body(self, request: CheckoutRequest, value: int) -> dict[str, object]:
        body: dict[str, object] = {
            "merchantAccount": self._account.merchant_account,
            "amount": {"value": value, "currency": request.amount.currency},
            "reference": request.reference,
            "returnUrl": request.return_url,
            "countryCode": request.country,
            "shopperReference": request.shopper_reference,
            "expiresAt": request.expires_at.astimezone(UTC).isoformat(timespec="seconds"),
            "channel": "Web",
            "mode": "hosted",
            "captureDelayHours": 0,
        }
        return body | ({"themeId": self._account.theme_id} if self._account.theme_id else {})

    def _sessions(self, body: dict[str, object], key: str) -> Outcome:
        """In a thread of ours. The SDK wraps what HTTP answers, and nothing else that may go wrong."""
        try:
            result = self._payments.sessions(body, idempotency_key=key)
            return _opened(result.message)
        except AdyenError as error:
            return _said_no(error)
        except line.RequestException as error:
            return _broken(error)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError, OSError, wire.HTTPError) as error:
            return Unknown(f"unreadable answer: {type(error).__name__}")
        finally:
            self._slots.release()


class _Line:
    """The SDK's transport: one open connection for each thread, no redirects, two timeouts."""

    user_agent = "tallywatt"

    def __init__(self, account: AdyenAccount) -> None:
        self._timeouts = (CONNECT_SECONDS, account.timeout_seconds)
        self._asks_environment = not account.base_url
        self._own = threading.local()

    def request(
        self, method: str, url: str, json: object = None, *, xapikey: str, headers: Mapping[str, str]
    ) -> tuple[str, object, int, Mapping[str, str]]:
        """One exchange, in the shape that the SDK expects: text, request, status, headers."""
        answer = self._session().request(
            method,
            url,
            json=json,
            headers={**headers, "x-api-key": xapikey},
            timeout=self._timeouts,
            allow_redirects=False,
        )
        return answer.text, json, answer.status_code, answer.headers

    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
            self._own.session.trust_env = self._asks_environment  # a proxy of the house must not see a stand-in
        session: requests.Session = self._own.session
        return session


def _opened(message: Mapping[str, Any]) -> Outcome:
    session, url = message.get("id"), message.get("url")
    if not isinstance(session, str) or not isinstance(url, str) or not 0 < len(session) <= _LONGEST_SESSION_ID:
        return Unknown("unreadable answer")
    return Answered(session, url) if url.startswith(("https://", "http://")) else Unknown("unreadable answer")


def _said_no(error: AdyenError) -> Outcome:
    """What an HTTP error means: a definite no, not taken, or not known. Read by status and code, never by class."""
    status, code = int(error.status_code or 0), str(error.error_code or "")
    if status in (401, 403):
        _log.error("adyen_refuses_our_credentials", status=status, error_code=code)
        return NotSent(f"credentials refused: {status}")
    if status == 429 or (status, code) == (503, _KEYS_AWAY):  # noqa: PLR2004  too many requests
        return NotSent(f"not taken: {status}")
    if 400 <= status < 500 and code and code != _IN_PROGRESS:  # noqa: PLR2004  the caller's fault
        _log.warning("adyen_refused", status=status, error_code=code)
        return Refused(code)
    return Unknown(f"HTTP {status} {code}".strip())


def _broken(error: line.RequestException) -> Outcome:
    """Not sent if there was never a connection; anything later may have happened."""
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, wire.MaxRetryError) else cause
    if isinstance(reason, wire.ProxyError):
        reason = reason.original_error
    if isinstance(reason, (wire.NewConnectionError, wire.ConnectTimeoutError)) or _is_handshake(reason):
        return NotSent(f"no connection: {type(reason).__name__}")
    return Unknown(f"broken off: {type(error).__name__}")


def _is_handshake(reason: object) -> bool:
    """Whether the two ends never came to speak TLS; then nothing was sent."""
    cause = reason.args[0] if isinstance(reason, wire.SSLError) and reason.args else None
    return isinstance(cause, ssl.SSLError) and cause.reason in _NO_HANDSHAKE
