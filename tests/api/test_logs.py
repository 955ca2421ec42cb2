"""Logs: one event is one line, which carries the name of the request it belongs to."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from api.logs import REDACTED, RequestId, configure
from api.settings import LogFormat

CARD = "4111111111111111"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged as JSON; the loggers are as before afterwards."""
    root, names = logging.getLogger(), ("uvicorn", "uvicorn.error", "uvicorn.access")
    handlers, level = root.handlers[:], root.level
    before = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).propagate) for name in names}
    stream = io.StringIO()
    configure(LogFormat.JSON, stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, (own, propagate) in before.items():
        logging.getLogger(name).handlers[:] = own
        logging.getLogger(name).propagate = propagate
    structlog.reset_defaults()


def fail(text: str) -> NoReturn:
    raise ValueError(text)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


# --- lines --------------------------------------------------------------------------------------------------------


def test_an_event_is_one_object_on_one_line(written: io.StringIO) -> None:
    structlog.get_logger("api.test").info("session_started", session="s1", energy_wh=1200, note="a\nb\x00\x1b[31m")
    [line] = lines(written)
    at = datetime.fromisoformat(line.pop("timestamp"))
    assert at.utcoffset() is not None
    assert abs((datetime.now(UTC) - at).total_seconds()) < 5
    assert line == {
        "event": "session_started",
        "logger": "api.test",
        "level": "info",
        "session": "s1",
        "energy_wh": 1200,
        "note": "a\nb\x00\x1b[31m",
    }


def test_libraries_take_the_same_way(written: io.StringIO) -> None:
    logging.getLogger("somebody").warning("lost %d of %s", 3, "messages")
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[36mStarted\x1b[0m"})
    first, second = lines(written)
    assert (first["event"], first["level"], first["logger"]) == ("lost 3 of messages", "warning", "somebody")
    assert (second["event"], second["logger"]) == ("Started", "uvicorn.error")
    assert "color_message" not in second


def test_uvicorns_own_handlers_are_taken_away(written: io.StringIO) -> None:
    other = io.StringIO()
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(other))
    logging.getLogger("uvicorn").propagate = False
    configure(LogFormat.JSON, written)
    logging.getLogger("uvicorn").info("once")
    assert [line["event"] for line in lines(written)] == ["once"]
    assert other.getvalue() == ""


def test_configured_twice_a_line_is_written_once(written: io.StringIO) -> None:
    configure(LogFormat.JSON, written)
    structlog.get_logger().info("once")
    assert len(lines(written)) == 1


def test_details_are_left_out(written: io.StringIO) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("somebody").debug("detail")
    logging.getLogger("httpx2").info("HTTP Request: GET https://login.example.com/?token=canary")
    assert written.getvalue() == ""


def test_an_exception_is_told_on_the_same_line_without_its_secrets(written: io.StringIO) -> None:
    try:
        fail(f"postgresql://tallywatt:canary@db/x Bearer canary-canary {CARD}")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("somebody").exception("failed as well")
    for line in lines(written):
        assert line["exception"].splitlines()[-1] == (
            f"ValueError: postgresql://tallywatt:{REDACTED}@db/x Bearer {REDACTED} {REDACTED}"
        )
    assert len(lines(written)) == 2


def test_old_ways_of_formatting_are_redacted_as_well(written: io.StringIO) -> None:
    structlog.get_logger().info("card %s", CARD)
    logging.getLogger("somebody").info("card %s", CARD)
    assert [line["event"] for line in lines(written)] == [f"card {REDACTED}"] * 2


def test_for_eyes_there_is_a_line_without_json(written: io.StringIO) -> None:
    configure(LogFormat.CONSOLE, written)
    try:
        fail(CARD)
    except ValueError:
        structlog.get_logger().exception("failed", password="canary")
    text = written.getvalue()
    assert "failed" in text
    assert "ValueError" in text
    assert CARD not in text
    assert "canary" not in text.replace('password="canary"', "")  # the line of this test, in the trace


# --- the name of a request ----------------------------------------------------------------------------------------


def shown(_: Request) -> Response:
    structlog.get_logger().info("asked")
    return PlainTextResponse(str(structlog.contextvars.get_contextvars().get("request_id")))


async def spoken(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(str(structlog.contextvars.get_contextvars().get("request_id")))
    await websocket.close()


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Starlette(routes=[Route("/", shown), WebSocketRoute("/ws", spoken)])
    with TestClient(RequestId(app, lambda: "made-here")) as started:
        yield started


def test_a_request_without_a_name_gets_one(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.text, answer.headers["x-request-id"]) == ("made-here", "made-here")


def test_names_made_here_differ() -> None:
    with TestClient(RequestId(Starlette(routes=[Route("/", shown)]))) as client:
        assert len({client.get("/").headers["x-request-id"] for _ in range(5)}) == 5


def test_a_fit_name_is_kept(client: TestClient) -> None:
    answer = client.get("/", headers={"X-Request-Id": "from-the.phone_1"})
    assert (answer.text, answer.headers["x-request-id"]) == ("from-the.phone_1", "from-the.phone_1")


@pytest.mark.parametrize(
    "name", ["", "short", "a" * 65, "with blank", "with\ttab", "<script>alert</script>", "é" * 9, CARD]
)
def test_an_unfit_name_is_replaced(client: TestClient, name: str) -> None:
    assert client.get("/", headers={b"X-Request-Id": name.encode()}).text == "made-here"


def test_two_names_are_none(client: TestClient) -> None:
    given = [("X-Request-Id", "first-name"), ("X-Request-Id", "second-name")]
    assert client.get("/", headers=given).text == "made-here"


def test_sockets_have_names_as_well(client: TestClient) -> None:
    with client.websocket_connect("/ws", headers={"X-Request-Id": "from-the-phone"}) as socket:
        assert socket.receive_text() == "from-the-phone"
    assert structlog.contextvars.get_contextvars() == {}


def test_the_name_stands_on_each_line(written: io.StringIO, client: TestClient) -> None:
    client.get("/", headers={"X-Request-Id": "request-1"})
    client.get("/", headers={"X-Request-Id": "request-2"})
    structlog.get_logger().info("afterwards")
    assert [line.get("request_id") for line in lines(written) if line["event"] in {"asked", "afterwards"}] == [
        "request-1",
        "request-2",
        None,
    ]
