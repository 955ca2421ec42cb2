"""A charge point operator in a process of its own: takes OCPI 2.2.1 commands over HTTP, charges cars, pushes sessions.

    python -m simulators.charge_points --token TOKEN --commands-token TOKEN [--bind 127.0.0.1:9001] [--speed 60] ...

Doors: `POST /ocpi/2.2.1/commands/START_SESSION` and `STOP_SESSION` under the commands token; `GET /healthz`;
`GET /admin/sessions` and, for a card held against the station, `POST /admin/sessions`. The admin doors are open: bind
them where only friends come by. An `evse_uid` that starts with `REFUSE` takes the command and refuses it later; one
that starts with `SILENT` takes it and is never heard of again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

import httpx2
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulators.charging_curve import Battery
from simulators.charging_site import ChargingSite, Plug, Reply, Site, Unreadable
from simulators.gateway_line import REQUEST_SECONDS, GatewayLine
from simulators.ocpi_wire import encoded, envelope, log, opens

COMMAND_SECONDS = 30
MOST_BYTES = 64 * 1024

_DONE, _BAD_JSON, _BAD_FIELD = 1000, 2000, 2001
_ECHOED = ("x-request-id", "x-correlation-id")
_WHY_NOT = {Reply.REJECTED: "EVSE_OCCUPIED", Reply.UNKNOWN_SESSION: "UNKNOWN_SESSION"}


@dataclass(frozen=True)
class Config:
    """Who the operator is, where the gateway is, and the tokens: `token` opens the gateway, `commands_token` us."""

    site: Site
    gateway: str
    host: str
    port: int
    token: str = field(repr=False)
    commands_token: str = field(repr=False)


class BadRequest(Exception):
    """No order at all: not JSON, or too much of it."""

    def __init__(self, http: int, message: str) -> None:
        super().__init__(message)
        self.http = http


class Doors:
    """The routes, in front of one site."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._site: ChargingSite

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:  # noqa: ARG002 - as Starlette calls it
        """Hold the line to the gateway for as long as the application runs."""
        config, site = self._config, self._config.site
        async with httpx2.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False) as client:
            line = GatewayLine(client, config.gateway, config.token, site.country_code, site.party_id)
            self._site = ChargingSite(site, line)
            yield
            await self._site.close()

    async def command(self, request: Request) -> Response:
        """START_SESSION or STOP_SESSION: the immediate answer; the outcome goes to `response_url`."""
        if not opens(request.headers.get("authorization", ""), self._config.commands_token):
            return _answer(envelope(_BAD_JSON, message="unknown token"), 401)
        orders = {"START_SESSION": self._site.start, "STOP_SESSION": self._site.stop}
        body, name = await _read(request), request.path_params["command"]
        reply = orders[name](body) if name in orders else Reply.NOT_SUPPORTED
        data: dict[str, object] = {"result": reply, "timeout": COMMAND_SECONDS}
        if reply in _WHY_NOT:
            data["message"] = [{"language": "en", "text": _WHY_NOT[reply]}]
        log("command", command=name, result=reply)
        echoed = {name: request.headers[name] for name in _ECHOED if name in request.headers}
        return _answer(envelope(_DONE, data), headers=echoed)

    async def plug_in(self, request: Request) -> Response:
        """Begin a session that nobody commanded: a card was shown to the station (`auth_method` WHITELIST)."""
        begun = self._site.plug_in(Plug.read(await _read(request)), "WHITELIST")
        return _answer(encoded(begun or {"error": "EVSE_OCCUPIED"}), 201 if begun else 409)

    async def sessions(self, request: Request) -> Response:  # noqa: ARG002 - as Starlette calls it
        """What runs and what ran, and how much of it the gateway has taken."""
        return _answer(encoded({"sessions": self._site.summaries()}))

    async def healthz(self, request: Request) -> Response:  # noqa: ARG002 - as Starlette calls it
        """That we are here."""
        return _answer(b'{"status":"ok"}')


def create_app(config: Config) -> Starlette:
    """The operator as an application."""
    doors = Doors(config)
    routes = [
        Route("/ocpi/2.2.1/commands/{command}", doors.command, methods=["POST"]),
        Route("/admin/sessions", doors.sessions, methods=["GET"]),
        Route("/admin/sessions", doors.plug_in, methods=["POST"]),
        Route("/healthz", doors.healthz, methods=["GET"]),
    ]
    refusals = {BadRequest: _bad_request, Unreadable: _unreadable}
    return Starlette(routes=routes, exception_handlers=refusals, lifespan=doors.lifespan)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 1 if the port is taken."""
    config = _config(argv)
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listener = socket.create_server((config.host, config.port), family=family)
    except OSError as taken:
        why = str(taken.strerror).partition(" (while")[0]
        sys.stderr.write(f"charge points: cannot listen on {config.host} port {config.port}: {why}\n")
        return 1
    app = create_app(config)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn has its own, and raises the signal again at its end
        signal.signal(ending, lambda *_: setattr(server, "should_exit", True))
    with listener:
        log("listening", host=config.host, port=listener.getsockname()[1], gateway=config.gateway)
        server.run(sockets=[listener])
    log("stopped")
    return 0


def _answer(body: bytes, http: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(body, http, headers, "application/json")


async def _read(request: Request) -> dict[str, object]:
    """The JSON object of a request, of a size that makes sense."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise BadRequest(413, f"more than {MOST_BYTES} bytes")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as malformed:
        raise BadRequest(400, f"not JSON: {malformed}") from malformed
    if not isinstance(body, dict):
        raise BadRequest(400, "not a JSON object")
    return body


async def _bad_request(request: Request, refusal: Exception) -> Response:  # noqa: ARG001 - as Starlette calls it
    assert isinstance(refusal, BadRequest)
    return _answer(envelope(_BAD_JSON, message=str(refusal)), refusal.http)


async def _unreadable(request: Request, refusal: Exception) -> Response:
    """OCPI says no inside a 200; the admin doors speak plain HTTP."""
    http = 400 if request.url.path.startswith("/admin/") else 200
    return _answer(envelope(_BAD_FIELD, message=str(refusal)), http)


def _config(argv: Sequence[str] | None) -> Config:
    asked = _parser().parse_args(argv)
    battery = Battery(int(asked.battery_kwh * 1000), asked.power_w)
    idle_seconds = int(asked.idle_minutes * 60)
    party = (asked.country_code, asked.party_id, asked.currency)
    site = Site(*party, battery, idle_seconds, float(asked.interval), float(asked.speed), asked.seed)
    host, port = asked.bind
    return Config(site, asked.gateway, host, port, asked.token, asked.commands_token)


def _parser() -> argparse.ArgumentParser:
    """Every option also from the environment: `--battery-kwh` is `CPSIM_BATTERY_KWH`."""
    parser = argparse.ArgumentParser("simulators.charge_points", description="A charge point operator over OCPI 2.2.1.")

    def option(name: str, default: str | None, kind: Callable[[str], object], about: str) -> None:
        variable = f"CPSIM_{name.upper().replace('-', '_')}"
        given = os.environ.get(variable, default)
        about = f"{about} [{variable}{f', {default}' if default else ''}]"
        parser.add_argument(f"--{name}", default=given, required=given is None, type=kind, help=about)

    option("bind", "127.0.0.1:9001", _address, "where to listen; port 0 takes a free one")
    option("gateway", "http://127.0.0.1:8000", _url, "where the gateway is")
    option("token", None, _token, "the OCPI token that the gateway gave us")
    option("commands-token", None, _token, "the OCPI token that we gave to the gateway")
    option("country-code", "DE", _like("[A-Z]{2}"), "of the operator")
    option("party-id", "ABC", _like("[A-Z0-9]{3}"), "of the operator")
    option("currency", "EUR", _like("[A-Z]{3}"), "of the sessions")
    option("speed", "1", _between("0.001", "1000000"), "simulated seconds in a second")
    option("interval", "5", _between("0.01", "3600"), "seconds between two pushes of a session")
    option("battery-kwh", "58", _between("0.001", "10000"), "capacity of every car")
    option("power-w", "11000", _whole(100, 1_000_000), "what an EVSE gives at most")
    option("idle-minutes", "20", _between("0", "100000"), "simulated minutes that a full car stays, then it leaves")
    option("seed", "7", _whole(0, 2**63), "decides how full the cars arrive")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004 - the highest port
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is not an http address")
    return text


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,64}", text):
        raise argparse.ArgumentTypeError("a token has 1 to 64 printable ASCII characters and no space")
    return text


def _like(pattern: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise argparse.ArgumentTypeError(f"{text!r} is not {pattern}")
        return text

    return read


def _between(least: str, most: str) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not (number.is_finite() and Decimal(least) <= number <= Decimal(most)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return number

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


if __name__ == "__main__":
    sys.exit(main())
