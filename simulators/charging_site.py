"""The stations of one operator: who charges where, and what a command does to it. Any EVSE that is named exists.

Simulated time starts at the wall clock's present second and runs `speed` times as fast: with a speed above 1 the times
of a session lie ahead of the wall clock. That is meant, so that an afternoon of charging fits into a demonstration.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum

import httpx2

from simulators.charging_curve import WS_PER_WH, Battery
from simulators.charging_session import ChargingSession
from simulators.gateway_line import Correspondence, GatewayLine, Outcome
from simulators.ocpi_wire import log, now

MOST_RUNNING = 1000
MOST_REMEMBERED = 2000
"""Sessions and commands; more than can run, so that something ended can always be forgotten."""

_LONGEST_BACKLOG = 1000  # beyond it nothing is lost: the next period is longer
_START_OF_CHARGE_PERCENT = (10, 60)
_CDR_TOKEN = {"country_code": 2, "party_id": 3, "uid": 36, "type": 36, "contract_id": 36}


class Unreadable(ValueError):
    """A field of an order is missing or malformed; says which."""


class Reply(StrEnum):
    """`CommandResponseType` of OCPI 2.2.1."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    UNKNOWN_SESSION = "UNKNOWN_SESSION"


@dataclass(frozen=True)
class Site:
    """Who operates the stations, and what stands at them. `interval_seconds` is wall time, `idle_seconds` simulated."""

    country_code: str
    party_id: str
    currency: str
    battery: Battery
    idle_seconds: int
    interval_seconds: float
    speed: float
    seed: int


@dataclass(frozen=True)
class Plug:
    """Where a car is plugged in, and on whose account. `cdr_token` is OCPI's `CdrToken`."""

    location_id: str
    evse_uid: str
    connector_id: str
    cdr_token: Mapping[str, str]
    authorization_reference: str | None

    @classmethod
    def read(cls, body: Mapping[str, object]) -> Plug:
        """From the body of START_SESSION."""
        reference = text(body, "authorization_reference") if body.get("authorization_reference") else None
        token = body.get("token")
        if not isinstance(token, dict):
            raise Unreadable("token is missing")
        cdr_token = {name: text(token, name, longest) for name, longest in _CDR_TOKEN.items()}
        connector = text(body, "connector_id") if body.get("connector_id") else "1"
        return cls(text(body, "location_id"), text(body, "evse_uid"), connector, cdr_token, reference)

    @property
    def routing(self) -> dict[str, str]:
        """The headers that lead to the owner of the token."""
        return {
            "OCPI-to-country-code": self.cdr_token["country_code"],
            "OCPI-to-party-id": self.cdr_token["party_id"],
        }


def text(body: Mapping[str, object], name: str, longest: int = 36) -> str:
    """A `CiString` of the body."""
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not (value.isascii() and value.isprintable()):
        raise Unreadable(f"{name} is missing or no text of 1 to {longest} printable characters")
    return value


def response_url(body: Mapping[str, object]) -> str:
    """Where the result of a command goes."""
    value = body.get("response_url")
    try:
        url = httpx2.URL(value if isinstance(value, str) else "")
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise Unreadable("response_url is missing or no http address")
    return str(value)


class Charging:
    """A session against the wall clock, and what is told about it."""

    def __init__(self, session: ChargingSession, line: GatewayLine, plug: Plug, site: Site) -> None:
        self.session = session
        self.plug = plug
        self.correspondence = Correspondence(line, session, plug.routing)
        self._site = site
        self._started = time.monotonic()

    async def run(self) -> None:
        """Until the session has ended and the gateway knows."""
        self.correspondence.note_revisions()
        async with asyncio.TaskGroup() as both:
            both.create_task(self.correspondence.run())
            both.create_task(self._pass_time())

    def stop(self, outcome: Outcome) -> None:
        """Tell the outcome, then the end."""
        self.correspondence.note_outcome(outcome)
        self.session.stop(self._elapsed())
        self.correspondence.note_revisions()

    def summary(self) -> dict[str, object]:
        """The session, and how much of it the gateway has taken."""
        formed = len(self.session.revisions)
        return {**self.session.summary(), "revisions": formed, "pushed": self.correspondence.pushed}

    async def _pass_time(self) -> None:
        while self.session.is_active:
            await asyncio.sleep(self._site.interval_seconds)
            if self.correspondence.backlog < _LONGEST_BACKLOG:
                self.session.advance(self._elapsed())
                self.correspondence.note_revisions()

    def _elapsed(self) -> int:
        return int((time.monotonic() - self._started) * self._site.speed)


class ChargingSite:
    """Every session of this process, running or remembered."""

    def __init__(self, site: Site, line: GatewayLine) -> None:
        self._site = site
        self._line = line
        self._chance = random.Random(site.seed)  # noqa: S311 - a state of charge is no secret
        self._charging: dict[str, Charging] = {}
        self._replies: dict[tuple[str, str], Reply] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, body: Mapping[str, object]) -> Reply:
        """START_SESSION; the same `response_url` again is the same command."""
        outcome, plug = Outcome(response_url(body), "ACCEPTED"), Plug.read(body)
        command = ("START_SESSION", outcome.response_url)
        return self._replies.get(command) or self._remember(command, self._start(outcome, plug))

    def stop(self, body: Mapping[str, object]) -> Reply:
        """STOP_SESSION; one that has ended is accepted again."""
        outcome, session_id = Outcome(response_url(body), "ACCEPTED"), text(body, "session_id")
        command = ("STOP_SESSION", outcome.response_url)
        return self._replies.get(command) or self._remember(command, self._stop(outcome, session_id))

    def plug_in(self, plug: Plug, auth_method: str, outcome: Outcome | None = None) -> dict[str, object] | None:
        """Begin a session and its correspondence; nothing if the EVSE is taken."""
        if not self._has_room(plug):
            return None
        charging = Charging(self._session(plug, auth_method), self._line, plug, self._site)
        if outcome:
            charging.correspondence.note_outcome(outcome)
        self._charging[charging.session.id] = charging
        self._forget_ended()
        self._spawn(charging.run())
        log("session started", id=charging.session.id, evse_uid=plug.evse_uid, auth_method=auth_method)
        return charging.summary()

    def summaries(self) -> list[dict[str, object]]:
        """All sessions, oldest first."""
        return [charging.summary() for charging in self._charging.values()]

    async def close(self) -> None:
        """Fall silent: running sessions are no longer pushed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, outcome: Outcome, plug: Plug) -> Reply:
        if plug.evse_uid.startswith("SILENT"):
            return Reply.ACCEPTED
        if plug.evse_uid.startswith("REFUSE"):
            refused = Outcome(outcome.response_url, "REJECTED")
            self._spawn(self._line.tell_outcome(refused, plug.routing))
            return Reply.ACCEPTED
        return Reply.ACCEPTED if self.plug_in(plug, "COMMAND", outcome) else Reply.REJECTED

    def _stop(self, outcome: Outcome, session_id: str) -> Reply:
        charging = self._charging.get(session_id)
        if charging is None:
            return Reply.UNKNOWN_SESSION
        if charging.session.is_active:
            charging.stop(outcome)
        else:
            self._spawn(self._line.tell_outcome(outcome, charging.plug.routing))
        return Reply.ACCEPTED

    def _has_room(self, plug: Plug) -> bool:
        running = [charging.plug for charging in self._charging.values() if charging.session.is_active]
        taken = {(other.location_id, other.evse_uid) for other in running}
        return (plug.location_id, plug.evse_uid) not in taken and len(running) < MOST_RUNNING

    def _session(self, plug: Plug, auth_method: str) -> ChargingSession:
        facts: dict[str, object] = {
            "country_code": self._site.country_code,
            "party_id": self._site.party_id,
            "id": str(uuid.uuid4()),
            "cdr_token": plug.cdr_token,
            "auth_method": auth_method,
            "location_id": plug.location_id,
            "evse_uid": plug.evse_uid,
            "connector_id": plug.connector_id,
            "currency": self._site.currency,
        }
        if plug.authorization_reference:
            facts["authorization_reference"] = plug.authorization_reference
        battery = self._site.battery
        stored_ws = battery.capacity_wh * WS_PER_WH // 100 * self._chance.randint(*_START_OF_CHARGE_PERCENT)
        return ChargingSession(facts, now(), battery, stored_ws, self._site.idle_seconds)

    def _remember(self, command: tuple[str, str], reply: Reply) -> Reply:
        self._replies[command] = reply
        if len(self._replies) > MOST_REMEMBERED:
            del self._replies[next(iter(self._replies))]
        return reply

    def _forget_ended(self) -> None:
        if len(self._charging) > MOST_REMEMBERED:
            ended = (name for name, charging in self._charging.items() if not charging.session.is_active)
            del self._charging[next(ended)]

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
