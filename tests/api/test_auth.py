"""A token speaks for its principal, or is refused for one reason."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from api.auth import Unauthenticated, Verifier, bearer_of
from api.jwks import Key, OneKey
from api.settings import Settings
from domain.clock import ManualClock
from resolvers.principal import Principal, Role
from tests.api.tokens import CLAIMS, HEADERS, NOW, OPERATOR, SECONDS, SIGNER, refused, signed, token

pytestmark = pytest.mark.usefixtures("empty_environment")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def verifier(clock: ManualClock) -> Verifier:
    return Verifier(Settings(), clock, OneKey(Key("one", "EdDSA", SIGNER.public_key())))


# --- who it is ----------------------------------------------------------------------------------------------------


async def test_without_a_token_it_is_a_guest(verifier: Verifier) -> None:
    guest = await verifier.principal(None)
    assert (guest.role, guest.subject, guest.operator_id) == (Role.GUEST, "guest", UUID(OPERATOR))
    assert guest.expires_at.year == 9999


async def test_a_sound_token_speaks_for_its_principal(verifier: Verifier) -> None:
    expires_at = NOW + timedelta(minutes=15)
    expected = Principal("driver-1", Role.DRIVER, Settings().operator_id, expires_at, "Ada")
    assert await verifier.principal(token()) == expected


@pytest.mark.parametrize("role", Role)
async def test_every_role_is_read(verifier: Verifier, role: Role) -> None:
    assert (await verifier.principal(token(role=role.value))).role is role


# --- who it is not ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://else.example"}, "wrong_issuer"),
        ({"iss": ["tallywatt-development"]}, "wrong_issuer"),
        ({"aud": "other"}, "wrong_audience"),
        ({"aud": ["tallywatt"]}, "wrong_audience"),
        ({"aud": ["tallywatt", "other"]}, "wrong_audience"),
        ({"role": "ADMIN"}, "unknown_role"),
        ({"role": "driver"}, "unknown_role"),
        ({"role": ["DRIVER"]}, "unknown_role"),
        ({"role": {"DRIVER": 1}}, "unknown_role"),
        ({"role": ""}, "unknown_role"),
        ({"sub": ""}, "malformed"),
        ({"sub": "a\u0000b"}, "malformed"),
        ({"sub": "a\u202eb"}, "malformed"),
        ({"sub": "a" * 256}, "malformed"),
        ({"sub": 1}, "malformed"),
        ({"name": "a\nb"}, "malformed"),
        ({"name": 1}, "malformed"),
        ({"operator_id": "1"}, "malformed"),
        ({"operator_id": 1}, "malformed"),
        ({"exp": f"{SECONDS + 900}"}, "malformed"),
        ({"exp": SECONDS + 900.5}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"iat": f"{SECONDS}"}, "malformed"),
        ({"nbf": "now"}, "malformed"),
        ({"exp": 10**30}, "lives_too_long"),
        ({"exp": SECONDS + 3601}, "lives_too_long"),
        ({"iat": SECONDS - 7200}, "lives_too_long"),
        ({"iat": SECONDS + 6}, "not_yet_valid"),
        ({"nbf": SECONDS + 6}, "not_yet_valid"),
        ({"iat": SECONDS - 900, "exp": SECONDS - 5}, "expired"),
        ({"iat": SECONDS - 900, "exp": -1}, "expired"),
        ({"deep": {"a": {"b": {"c": {}}}}}, "malformed"),
    ],
)
async def test_a_claim_that_is_wrong_is_refused(verifier: Verifier, claims: dict[str, Any], reason: str) -> None:
    assert await refused(verifier, token(**claims)) == reason


@pytest.mark.parametrize("name", CLAIMS)
async def test_no_claim_may_be_missing(verifier: Verifier, name: str) -> None:
    assert await refused(verifier, token(**{name: None})) == "missing_claim"


@pytest.mark.parametrize(
    "claims", [{"iat": SECONDS + 5}, {"nbf": SECONDS + 5}, {"iat": SECONDS - 9, "exp": SECONDS - 4}]
)
async def test_clocks_may_differ_by_five_seconds(verifier: Verifier, claims: dict[str, Any]) -> None:
    assert (await verifier.principal(token(**claims))).subject == "driver-1"


async def test_a_token_expires_while_time_passes(verifier: Verifier, clock: ManualClock) -> None:
    bearer = token()
    clock.advance(timedelta(seconds=904))
    assert (await verifier.principal(bearer)).role is Role.DRIVER
    clock.advance(timedelta(seconds=1))
    assert await refused(verifier, bearer) == "expired"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"kid": "two"}, "unknown_key"),
        ({"kid": "../one"}, "unknown_key"),
        ({"kid": ""}, "unknown_key"),
        ({"kid": "a" * 129}, "unknown_key"),
        ({"typ": "JWT"}, "wrong_type"),
        ({"crit": ["exp"]}, "odd_header"),
        ({"b64": False}, "odd_header"),
        ({"zip": "DEF"}, "odd_header"),
        ({"jku": "https://evil.example/jwks"}, "odd_header"),
        ({"x5u": "https://evil.example/cert"}, "odd_header"),
        ({"jwk": {"kty": "OKP"}}, "odd_header"),
        ({"x5c": ["MII"]}, "odd_header"),
        ({"cty": "JWT"}, "odd_header"),
    ],
)
async def test_a_header_that_is_wrong_is_refused(verifier: Verifier, headers: dict[str, Any], reason: str) -> None:
    assert await refused(verifier, token(headers)) == reason


@pytest.mark.parametrize("header", [{}, {"alg": "EdDSA", "typ": "at+jwt"}, {"kid": 1, "alg": "EdDSA", "typ": "at+jwt"}])
async def test_a_header_says_type_and_key(verifier: Verifier, header: dict[str, Any]) -> None:
    assert await refused(verifier, signed(json.dumps(header), json.dumps(CLAIMS))) in {"wrong_type", "unknown_key"}


async def test_a_signature_by_another_key_is_refused(verifier: Verifier) -> None:
    forged = jwt.encode(CLAIMS, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=HEADERS)
    assert await refused(verifier, forged) == "bad_signature"


async def test_claims_of_one_token_do_not_go_with_the_signature_of_another(verifier: Verifier) -> None:
    header, _, signature = token().split(".")
    claims = token(role="OPERATOR").split(".")[1]
    assert await refused(verifier, f"{header}.{claims}.{signature}") == "bad_signature"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256", "ES256", "EdDSA ", "", 1, None])
async def test_the_algorithm_is_the_one_of_the_key(verifier: Verifier, algorithm: object) -> None:
    header = json.dumps(HEADERS | {"alg": algorithm})
    assert await refused(verifier, signed(header, json.dumps(CLAIMS))) == "wrong_algorithm"


async def test_a_public_key_is_no_shared_secret(verifier: Verifier) -> None:
    secret = SIGNER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = signed(json.dumps(HEADERS | {"alg": "HS256"}), json.dumps(CLAIMS)).rpartition(".")[0]
    mac = hmac.digest(secret, unsigned.encode(), hashlib.sha256)
    forged = f"{unsigned}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert await refused(verifier, forged) == "wrong_algorithm"


async def test_an_unsigned_token_is_no_token(verifier: Verifier) -> None:
    unsigned = jwt.encode(CLAIMS, "", algorithm="none", headers=HEADERS)
    assert await refused(verifier, unsigned) == "malformed"
    assert await refused(verifier, f"{unsigned}AA") == "wrong_algorithm"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(CLAIMS)[:-1] + ', "role": "OPERATOR"}',
        json.dumps(CLAIMS)[:-1] + ', "x": NaN}',
        json.dumps(CLAIMS)[:-1] + ', "x": {"y": 1, "y": 2}}',
        "[]",
        "null",
        '"text"',
        "",
        "{",
        "[" * 3000,
        "\ufeff{}",
    ],
)
async def test_claims_are_strict_json(verifier: Verifier, text: str) -> None:
    header = json.dumps(HEADERS | {"alg": "EdDSA"})
    assert await refused(verifier, signed(header, text)) == "malformed"
    assert await refused(verifier, signed(text, json.dumps(CLAIMS))) in {"malformed", "odd_header"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "..",
        "a.b.c",
        f" {token()}",
        f"{token()}\n",
        f"{token()}=",
        token().replace(".", "=.", 1),
        token().replace("e", "é", 1),
        "a" * 9000,
        token(long="a" * 8192),
    ],
)
async def test_what_has_not_the_shape_of_a_token_is_refused(verifier: Verifier, text: str) -> None:
    assert await refused(verifier, text) == "malformed"


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]{1,9}\.[A-Za-z0-9_-]{1,9}\.[A-Za-z0-9_-]{1,9}")))
async def test_any_text_is_refused_and_none_is_a_bug(verifier: Verifier, text: str) -> None:
    await refused(verifier, text)


@pytest.mark.parametrize("place", [0, 10, 60, 200, -1, -40])
async def test_no_bit_of_a_token_may_change(verifier: Verifier, place: int) -> None:
    sound = token()
    other = "A" if sound[place] != "A" else "Q"
    changed = sound[:place] + other + sound[place:][1:]
    assert await refused(verifier, changed)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_other_kinds_of_keys_sign_as_well(clock: ManualClock, algorithm: str) -> None:
    rsa, p256 = generate_rsa_key(public_exponent=65537, key_size=2048), generate_private_key(SECP256R1())
    private = rsa if algorithm == "RS256" else p256
    verifier = Verifier(Settings(), clock, OneKey(Key("one", algorithm, private.public_key())))
    bearer = jwt.encode(CLAIMS, private, algorithm=algorithm, headers=HEADERS)
    assert (await verifier.principal(bearer)).subject == "driver-1"
    assert await refused(verifier, token()) == "wrong_algorithm"


# --- the header ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("header", "bearer"), [(None, None), ("Bearer abc", "abc"), ("bearer abc", "abc")])
def test_the_token_stands_behind_its_scheme(header: str | None, bearer: str | None) -> None:
    assert bearer_of(header) == bearer


@pytest.mark.parametrize("header", ["", "abc", "Basic abc", "Token abc", " Bearer abc", "Bearer\tabc"])
def test_other_schemes_are_refused(header: str) -> None:
    with pytest.raises(Unauthenticated):
        bearer_of(header)


async def test_an_empty_token_is_no_guest(verifier: Verifier) -> None:
    assert await refused(verifier, bearer_of("Bearer ") or "") == "malformed"
    assert await refused(verifier, bearer_of("Bearer  abc") or "") == "malformed"
