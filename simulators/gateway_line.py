"""What is told to the gateway: in order, again and again while it is away, and logged when it refuses.

An answer that may come later is waited for: no connection, 408, 429, 5xx, or an envelope that blames the server (3xxx).
Anything else it says against a message is final.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

import httpx2
import orjson

from simulators.charging_session import ChargingSession, Status
from simulators.ocpi_wire import authorization, encoded, log

REQUEST_SECONDS = 10
RESULT_SECONDS = 300
"""For how long the result of a command is offered; whoever asked has given up long before."""

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 5.0
_PATIENT = {httpx2.codes.REQUEST_TIMEOUT, httpx2.codes.TOO_MANY_REQUESTS}
_DONE, _THEIR_FAULT, _HUB = 1000, 3000, 4000


class Verdict(Enum):
    """What became of a message."""

    TAKEN = auto()
    MISSING = auto()
    REFUSED = auto()
    LATER = auto()


@dataclass(frozen=True)
class Outcome:
    """What became of a command, and where that is to be told."""

    response_url: str
    result: str


class GatewayLine:
    """Speaks to one gateway in the name of one operator, `country_code` and `party_id`."""

    def __init__(self, client: httpx2.AsyncClient, url: str, token: str, country_code: str, party_id: str) -> None:
        self._client = client
        self._sessions_url = f"{url.rstrip('/')}/ocpi/2.2.1/receiver/sessions/{country_code}/{party_id}"
        self._headers = {
            "Authorization": authorization(token),
            "Content-Type": "application/json",
            "OCPI-from-country-code": country_code,
            "OCPI-from-party-id": party_id,
        }

    async def tell_outcome(self, outcome: Outcome, to: Mapping[str, str]) -> None:
        """POST a `CommandResult`: once taken, never again; given up after a while."""
        try:
            async with asyncio.timeout(RESULT_SECONDS):
                verdict = await self._tell("POST", outcome.response_url, {"result": outcome.result}, to)
        except TimeoutError:
            verdict = Verdict.REFUSED
        log("command result", result=outcome.result, verdict=verdict.name)

    async def tell_session(self, method: str, session_id: str, body: object, to: Mapping[str, str]) -> Verdict:
        """PUT or PATCH a session; TAKEN, MISSING or REFUSED."""
        return await self._tell(method, f"{self._sessions_url}/{session_id}", body, to)

    async def _tell(self, method: str, url: str, body: object, to: Mapping[str, str]) -> Verdict:
        about = {"X-Correlation-ID": str(uuid.uuid4()), **self._headers, **to}
        content = encoded(body)
        for pause in _pauses():
            verdict = await self._tell_once(method, url, content, about)
            if verdict is not Verdict.LATER:
                return verdict
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    async def _tell_once(self, method: str, url: str, content: bytes, headers: dict[str, str]) -> Verdict:
        headers = {"X-Request-ID": str(uuid.uuid4()), **headers}
        try:
            response = await self._client.request(method, url, content=content, headers=headers)
        except httpx2.RequestError as away:
            log("gateway away", method=method, error=type(away).__name__)
            return Verdict.LATER
        return _judged(method, response)


class Correspondence:
    """What one session has to say: outcomes of commands and every revision, in the order in which they were noted.

    A revision goes as a PATCH if the gateway took the one before, and as the whole session if it does not know it.
    """

    def __init__(self, line: GatewayLine, session: ChargingSession, to: Mapping[str, str]) -> None:
        self.pushed = 0
        self._line = line
        self._session = session
        self._to = to
        self._noted = 0
        self._letters: asyncio.Queue[Outcome | int] = asyncio.Queue()
        self._is_behind = True

    @property
    def backlog(self) -> int:
        """How many messages wait."""
        return self._letters.qsize()

    def note_outcome(self, outcome: Outcome) -> None:
        """To be told after everything noted before."""
        self._letters.put_nowait(outcome)

    def note_revisions(self) -> None:
        """Every revision of the session that was not noted yet."""
        for number in range(self._noted, len(self._session.revisions)):
            self._letters.put_nowait(number)
        self._noted = len(self._session.revisions)

    async def run(self) -> None:
        """Tell until the session has ended and that has been told."""
        while True:
            letter = await self._letters.get()
            if isinstance(letter, Outcome):
                await self._line.tell_outcome(letter, self._to)
                continue
            await self._tell_revision(letter)
            if self._session.revisions[letter].status is Status.COMPLETED:
                return

    async def _tell_revision(self, number: int) -> None:
        method, verdict = "PATCH", Verdict.MISSING
        if not self._is_behind:
            change = self._session.change(number)
            verdict = await self._line.tell_session(method, self._session.id, change, self._to)
        if verdict is Verdict.MISSING:
            method, whole = "PUT", self._session.whole(number)
            verdict = await self._line.tell_session(method, self._session.id, whole, self._to)
        self._is_behind = verdict is not Verdict.TAKEN
        self.pushed += not self._is_behind
        log("session pushed", id=self._session.id, method=method, revision=number, verdict=verdict.name)


def _pauses() -> Iterator[float]:
    for attempt in itertools.count():
        yield min(_FIRST_PAUSE_SECONDS * 2 ** min(attempt, 10), _LONGEST_PAUSE_SECONDS)


def _judged(method: str, response: httpx2.Response) -> Verdict:
    code = _status_code(response)
    is_their_fault = response.is_server_error or (response.is_success and _THEIR_FAULT <= code < _HUB)
    if is_their_fault or response.status_code in _PATIENT:
        verdict = Verdict.LATER
    elif response.is_success and code <= _DONE:
        return Verdict.TAKEN
    else:
        is_unknown = method == "PATCH" and response.status_code == httpx2.codes.NOT_FOUND
        verdict = Verdict.MISSING if is_unknown else Verdict.REFUSED
    said = response.text[:200]
    log("gateway refused", method=method, http=response.status_code, status_code=code, verdict=verdict.name, said=said)
    return verdict


def _status_code(response: httpx2.Response) -> int:
    """The code of the envelope; 0 if there is none."""
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return 0
    code = answer.get("status_code") if isinstance(answer, dict) else None
    return code if isinstance(code, int) else 0
