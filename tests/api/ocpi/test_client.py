"""Commands over a real socket: what is sent, and what every way of answering or not answering means."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from api.keys import Keys
from api.ocpi import OcpiControl
from api.ocpi.client import MOST_BYTES
from domain.clock import ManualClock
from domain.drivers import Token, TokenKind
from domain.ids import ConnectorId, DriverId, EvseId, LocationId, PartyId, TokenId
from domain.partners import ChargePoint, Connector, Evse, EvseStatus, Location, Party
from domain.sessions import Reply, Start, Stop
from tests.world import COMMANDS_TOKEN, KEYS, OPERATOR, at

PUBLIC_URL = "https://tallywatt.example"
ID = uuid.UUID("01900000-0000-7000-8000-0000000000aa")
COMMAND = uuid.UUID("01900000-0000-4000-8000-0000000000bb")


def said(result: str, code: int = 1000) -> bytes:
    return json.dumps({"status_code": code, "data": {"result": result, "timeout": 30}}).encode()


class Operator(ThreadingHTTPServer):
    """Answers every command with `answer`: HTTP status and body, after `seconds`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.answer: tuple[int, bytes] = (200, said("ACCEPTED"))
        self.seconds = 0.0
        self.hangs_up = False
        self.heard: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/commands"


class Receiver(BaseHTTPRequestHandler):
    server: Operator
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.heard.append((self.path, headers, body))
        if self.server.hangs_up:
            self.close_connection = True
            return
        time.sleep(self.server.seconds)
        http, content = self.server.answer
        with contextlib.suppress(ConnectionError):
            self.send_response(http)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def operator() -> Iterator[Operator]:
    with Operator() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
async def control() -> AsyncIterator[OcpiControl]:
    made = OcpiControl(KEYS, PUBLIC_URL, ManualClock(at("12:00")), issuer="Tallywatt", total_seconds=0.5)
    yield made
    await made.close()


def party(url: str | None, sealed: str | None = "") -> Party:
    return Party(
        operator_id=OPERATOR,
        id=PartyId(ID),
        country_code="DE",
        party_id="ABC",
        name="Charge points",
        token_hash="",
        commands_url=url,
        commands_token_sealed=KEYS.seal(COMMANDS_TOKEN) if sealed == "" else sealed,
    )


def start(owner: Party) -> Start:
    location = Location(
        operator_id=OPERATOR,
        id=LocationId(ID),
        party_id=owner.id,
        ocpi_id="LOC-1",
        name="Market",
        address="Markt 1",
        country="DE",
        time_zone="Europe/Berlin",
        updated_at=at("00:00"),
    )
    evse = Evse(operator_id=OPERATOR, id=EvseId(ID), location_id=location.id, uid="EVSE-1", status=EvseStatus.AVAILABLE)
    connector = Connector(
        operator_id=OPERATOR, id=ConnectorId(ID), evse_id=evse.id, ocpi_id="1", standard="X", max_power_w=1
    )
    token = Token(
        operator_id=OPERATOR,
        id=TokenId(ID),
        driver_id=DriverId(ID),
        country_code="DE",
        party_id="TWT",
        uid="APP-1",
        kind=TokenKind.APP_USER,
        contract_id="DE-TWT-C1",
    )
    return Start(COMMAND, ChargePoint(owner, location, evse, connector), token, "REF-1")


def stop(owner: Party) -> Stop:
    return Stop(COMMAND, owner, "S-1")


async def test_a_start_is_what_ocpi_wants(control: OcpiControl, operator: Operator) -> None:
    assert await control.send(start(party(operator.url))) is Reply.ACCEPTED
    ((path, headers, body),) = operator.heard
    assert path == "/commands/START_SESSION"
    assert base64.b64decode(headers["authorization"].removeprefix("Token ")).decode() == COMMANDS_TOKEN
    assert re.fullmatch("[0-9a-f-]{36}", headers["x-request-id"])
    assert headers["x-correlation-id"] == str(COMMAND)
    assert [headers[f"ocpi-{end}"] for end in ("to-country-code", "to-party-id")] == ["DE", "ABC"]
    assert [headers[f"ocpi-{end}"] for end in ("from-country-code", "from-party-id")] == ["DE", "TWT"]
    assert body == {
        "response_url": f"{PUBLIC_URL}/ocpi/2.2.1/sender/commands/START_SESSION/{COMMAND}",
        "token": {
            "country_code": "DE",
            "party_id": "TWT",
            "uid": "APP-1",
            "type": "APP_USER",
            "contract_id": "DE-TWT-C1",
            "issuer": "Tallywatt",
            "valid": True,
            "whitelist": "NEVER",
            "last_updated": "2026-05-04T12:00:00Z",
        },
        "location_id": "LOC-1",
        "evse_uid": "EVSE-1",
        "connector_id": "1",
        "authorization_reference": "REF-1",
    }


async def test_a_stop_is_what_ocpi_wants(control: OcpiControl, operator: Operator) -> None:
    assert await control.send(stop(party(f"{operator.url}/"))) is Reply.ACCEPTED
    ((path, _, body),) = operator.heard
    assert path == "/commands/STOP_SESSION"
    url = f"{PUBLIC_URL}/ocpi/2.2.1/sender/commands/STOP_SESSION/{COMMAND}"
    assert body == {"response_url": url, "session_id": "S-1"}


@pytest.mark.parametrize(
    ("http", "body", "reply"),
    [
        (200, said("ACCEPTED"), Reply.ACCEPTED),
        (201, said("ACCEPTED"), Reply.ACCEPTED),
        (200, said("REJECTED"), Reply.REFUSED),
        (200, said("NOT_SUPPORTED"), Reply.REFUSED),
        (200, said("UNKNOWN_SESSION"), Reply.REFUSED),
        (200, said("", 2003), Reply.REFUSED),
        (404, b"", Reply.REFUSED),
        (401, said("", 2000), Reply.REFUSED),
        (429, b"", Reply.NOT_SENT),
        (200, said("ACCEPTED", 3000), Reply.UNKNOWN),
        (200, said("PERHAPS"), Reply.UNKNOWN),
        (200, b"", Reply.UNKNOWN),
        (200, b"<html>", Reply.UNKNOWN),
        (200, b"[1000]", Reply.UNKNOWN),
        (200, b'{"status_code": "1000", "data": {"result": "ACCEPTED"}}', Reply.UNKNOWN),
        (200, b'{"status_code": 1000, "data": "ACCEPTED"}', Reply.UNKNOWN),
        (200, b'{"status_code": 1000}', Reply.UNKNOWN),
        (200, said("ACCEPTED").ljust(MOST_BYTES + 1), Reply.UNKNOWN),
        (307, said("ACCEPTED"), Reply.UNKNOWN),
        (500, said("ACCEPTED"), Reply.UNKNOWN),
        (503, b"", Reply.UNKNOWN),
    ],
)
async def test_what_an_answer_means(
    http: int, body: bytes, reply: Reply, control: OcpiControl, operator: Operator
) -> None:
    operator.answer = (http, body)
    assert await control.send(start(party(operator.url))) is reply
    assert await control.send(stop(party(operator.url))) is reply
    assert len(operator.heard) == 2


async def test_silence_after_sending_may_have_been_a_yes(control: OcpiControl, operator: Operator) -> None:
    operator.seconds = 0.8
    began = time.monotonic()
    assert await control.send(start(party(operator.url))) is Reply.UNKNOWN
    assert time.monotonic() - began < 0.75
    operator.hangs_up = True
    assert await control.send(stop(party(operator.url))) is Reply.UNKNOWN


async def test_what_cannot_be_reached_was_not_sent(control: OcpiControl) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refusing = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for url in (refusing, "http://nowhere.invalid", "gopher://127.0.0.1", "http://[", "", "http://"):
            assert await control.send(stop(party(url))) is Reply.NOT_SENT, url


async def test_without_address_or_token_nothing_is_sent(control: OcpiControl, operator: Operator) -> None:
    sealed_elsewhere = Keys(b"another root that is long enough, too").seal(COMMANDS_TOKEN)
    for owner in (party(None), party(operator.url, None), party(operator.url, sealed_elsewhere)):
        assert await control.send(start(owner)) is Reply.NOT_SENT
    assert operator.heard == []


async def test_a_closed_control_sends_nothing(operator: Operator) -> None:
    closed = OcpiControl(KEYS, PUBLIC_URL, ManualClock(at("12:00")), issuer="Tallywatt")
    await closed.close()
    assert await closed.send(stop(party(operator.url))) is Reply.NOT_SENT
    assert operator.heard == []
