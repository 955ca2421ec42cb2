from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from api.logs import LONGEST_TEXT, REDACTED, RequestId, configure, redact
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


def redacted(**event: object) -> dict[str, Any]:
    return dict(redact(None, "info", event))


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


# --- redaction ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Authorization",
        "proxy-authorization",
        "token",
        "accessToken",
        "refresh_token",
        "api_key",
        "apiKey",
        "x-api-key",
        "ADYEN_API_KEY",
        "hmac",
        "hmacSignature",
        "HmacKey",
        "password",
        "POSTGRES_PASSWORD",
        "secret",
        "signing_secret",
        "clientSecret",
        "sessionData",
        "session_data",
        "sessionResult",
        "cookie",
        "set-cookie",
        "cardNumber",
        "card_number",
        "number",
        "cvc",
        "encryptedCardNumber",
        "encryptedSecurityCode",
        "expiryMonth",
        "expiry_year",
        "holderName",
        "iban",
        "email",
        "phone",
    ],
)
def test_what_stands_under_a_telling_name_is_dropped(name: str) -> None:
    assert redacted(**{name: "canary"}) == {name: REDACTED}
    assert redacted(body={"deep": [{name: {"canary": "canary"}}]}) == {"body": {"deep": [{name: REDACTED}]}}
    assert redacted(**{name: None}) == {name: None}


@pytest.mark.parametrize(
    "name", ["event", "driver", "session", "energy_wh", "psp_reference", "status", "currency", "author"]
)
def test_what_stands_under_other_names_stays(name: str) -> None:
    assert redacted(**{name: "kept"}) == {name: "kept"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Bearer abc.def-ghi", f"Bearer {REDACTED}"),
        ("authorization: bearer abcdef, next", f"authorization: bearer {REDACTED}, next"),
        ("Authorization: Token ZXhhbXBsZQ==", f"Authorization: Token {REDACTED}"),
        ("Basic dXNlcjpwYXNz", f"Basic {REDACTED}"),
        ("got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln here", f"got {REDACTED} here"),
        ("redis://:canary@valkey:6379/0", f"redis://:{REDACTED}@valkey:6379/0"),
        (CARD, REDACTED),
        (f"card {CARD}.", f"card {REDACTED}."),
        (f"x{CARD}y", f"x{REDACTED}y"),
        ("4111 1111 1111 1111", REDACTED),
        ("4111-1111-1111-1111 and 5555 5555 5555 4444", f"{REDACTED} and {REDACTED}"),
        (f"{CARD} {CARD}", f"{REDACTED} {REDACTED}"),
        (f"at 10 {CARD} 2030", f"at 10 {REDACTED} 2030"),
        ("378282246310005", REDACTED),
        ("4222222222222", REDACTED),
        ("6304000000000000000", REDACTED),
        ("4111111111111112", "4111111111111112"),
        ("411111111111", "411111111111"),
        (f"{CARD}0000", f"{CARD}0000"),
        ("01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000001"),
        ("41111111-1111-1111-1111-111111111111", "41111111-1111-1111-1111-111111111111"),
        ("the token expired", "the token expired".replace("expired", REDACTED)),
        ("2026-06-01T12:00:00.123456Z", "2026-06-01T12:00:00.123456Z"),
    ],
)
def test_credentials_and_cards_are_masked_wherever_they_stand(text: str, left: str) -> None:
    assert redacted(event=text) == {"event": left}
    assert redacted(a={"b": [text, (text,)]}) == {"a": {"b": [left, [left]]}}
    assert list(redacted(a={text: None})["a"]) == [left]


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (int(CARD), REDACTED),
        (4111111111111112, 4111111111111112),
        (-5, -5),
        (True, True),
        (1.5, 1.5),
        (2**70, str(2**70)),
        (b"Bearer canary-canary", f"b'Bearer {REDACTED}'"),
        ("\ud800", "\\ud800"),
    ],
)
def test_values_of_any_kind_can_be_written(value: object, left: object) -> None:
    assert redacted(value=value) == {"value": left}


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
            max_leaves=9,
        ),
    )
)
def test_whatever_is_logged_can_be_written(event: dict[str, object]) -> None:
    assert json.loads(json.dumps(redacted(**event), allow_nan=True)) is not None


@given(st.text("0123456789 -ab", max_size=40), st.text("0123456789 -ab", max_size=40))
def test_a_card_that_stands_apart_is_never_seen(before: str, after: str) -> None:
    assert CARD not in redacted(event=f"{before}x{CARD}x{after}")["event"]


def test_texts_and_depths_are_bounded() -> None:
    deep: dict[str, object] = {}
    for _ in range(500):
        deep = {"a": deep}
    assert len(redacted(event="x" * 10**6)["event"]) == LONGEST_TEXT
    assert len(json.dumps(redacted(deep=deep))) < 5000
    assert len(redacted(many=list(range(10**5)))["many"]) == 100


@pytest.mark.parametrize(
    "unit", ["1 ", "41111", "4111 ", "1-", "Bearer ", "eyJ", "://", "://a:", f"{CARD} ", "0123456789ab-"]
)
def test_hostile_texts_cost_little(unit: str) -> None:
    before = time.perf_counter()
    redacted(event=unit * (10**6 // len(unit)))
    assert time.perf_counter() - before < 1


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
