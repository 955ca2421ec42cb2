"""What is never written into a log, wherever it stands."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.logs import LONGEST_TEXT, REDACTED, redact

CARD = "4111111111111111"


def redacted(**event: object) -> dict[str, Any]:
    return dict(redact(None, "info", event))


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
