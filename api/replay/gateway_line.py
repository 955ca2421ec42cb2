"""The line to a gateway: one message at a time, again and again while it is away, and its words when it refuses.

While it is away it is waited for: no connection, 408, 429, 502, 503, 504. Where it fails at a message (500, or an
envelope with a code of 3xxx) the message is told a few times more, and counts as refused if that does not help.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Self

import httpx2
import orjson

from api.replay.onboarding import COUNTRY, PARTY
from api.replay.story import Message

REQUEST_SECONDS = 10
_FIRST_PAUSE_MS, _LONGEST_PAUSE_MS = 100, 5_000
_MOST_FAILURES = 5
_AWAY = frozenset({408, 429, 502, 503, 504})
_TAKEN, _THEIR_FAULT = range(1000, 2000), range(3000, 4000)
_LONGEST_WORDS = 200


class GatewayAway(Exception):
    """The gateway does not answer, or not to us; what it took stays, and a new replay goes on from there."""


class PushRefused(Exception):
    """The gateway will not take a message, now or later; the message is in its own words."""


@dataclass(frozen=True, slots=True)
class _Answer:
    http: int
    status_code: int
    words: str

    @property
    def is_away(self) -> bool:
        """Whether it took no notice of the message."""
        return self.http in _AWAY

    @property
    def is_failure(self) -> bool:
        """Whether the fault is not in the message, in its own words."""
        return self.http >= httpx2.codes.INTERNAL_SERVER_ERROR or self.status_code in _THEIR_FAULT

    @property
    def is_taken(self) -> bool:
        """Whether it counts."""
        return httpx2.codes.is_success(self.http) and self.status_code in _TAKEN


class GatewayLine:
    """Speaks to one gateway in the name of the operator, over at most `connections` connections."""

    def __init__(self, url: str, token: str, *, connections: int, patience_seconds: int) -> None:
        self.retries = 0
        self._url = url.rstrip("/")
        self._patience_ns = patience_seconds * 10**9
        self._client = httpx2.AsyncClient(
            headers={
                "Authorization": f"Token {base64.b64encode(token.encode()).decode()}",
                "Content-Type": "application/json",
                "OCPI-from-country-code": COUNTRY,
                "OCPI-from-party-id": PARTY,
            },
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
            timeout=REQUEST_SECONDS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def tell(self, message: Message, name: str) -> bool:
        """Whether what the message is about was new. `name` is told the gateway as the id of this request.

        Raises PushRefused, GatewayAway.
        """
        content = orjson.dumps(message.body, default=_digits)
        url = f"{self._url}/ocpi/2.2.1/receiver/{message.path}"
        headers = {"X-Request-ID": name, "X-Correlation-ID": name}
        until, failures = time.monotonic_ns() + self._patience_ns, 0
        for pause_ms in _pauses_ms():
            answer = await self._told_once(message.method, url, content, headers)
            if answer.is_taken:
                return answer.http == httpx2.codes.CREATED
            if answer.http == httpx2.codes.UNAUTHORIZED:
                raise GatewayAway(
                    f"{self._url} does not know the operator that was just registered: its store is another."
                )
            failures += not answer.is_away
            if not answer.is_away and (not answer.is_failure or failures == _MOST_FAILURES):
                raise PushRefused(answer.words)
            if time.monotonic_ns() > until:
                raise GatewayAway(f"{self._url} takes no messages: {answer.words}.")
            self.retries += 1
            await asyncio.sleep(pause_ms / 1000)
        raise AssertionError("unreachable")

    async def _told_once(self, method: str, url: str, content: bytes, headers: dict[str, str]) -> _Answer:
        try:
            response = await self._client.request(method, url, content=content, headers=headers)
        except httpx2.RequestError as away:
            return _Answer(httpx2.codes.SERVICE_UNAVAILABLE, 0, type(away).__name__)
        return _answer(method, response)


def _pauses_ms() -> Iterator[int]:
    pause_ms = _FIRST_PAUSE_MS
    while True:
        yield pause_ms
        pause_ms = min(2 * pause_ms, _LONGEST_PAUSE_MS)


def _answer(method: str, response: httpx2.Response) -> _Answer:
    try:
        envelope = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        envelope = None
    facts = envelope if isinstance(envelope, dict) else {}
    code, message = facts.get("status_code"), facts.get("status_message")
    said = f"OCPI {code}: {message}" if isinstance(code, int) else "no OCPI"
    words = f"{method}: HTTP {response.status_code}, {said}"[:_LONGEST_WORDS]
    return _Answer(response.status_code, code if isinstance(code, int) else 0, words)


def _digits(value: object) -> orjson.Fragment:
    """A Decimal goes out digit for digit."""
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    raise TypeError(f"{type(value).__name__} has no place on the wire")
