"""Which keys of an issuer count, and when they are fetched."""

from __future__ import annotations

import asyncio
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from api.jwks import _P, _SMALL_ORDER, FetchedKeys, keys_of
from tests.api.tokens import SIGNER, SOUND, key_set

P256 = generate_private_key(SECP256R1())


# --- which keys count ---------------------------------------------------------------------------------------------


def test_three_kinds_of_keys_count_each_with_its_algorithm() -> None:
    rsa = generate_rsa_key(public_exponent=65537, key_size=2048).public_key()
    found = keys_of(
        key_set(
            {**json.loads(RSAAlgorithm.to_jwk(rsa)), "kid": "r", "alg": "RS256", "use": "sig"},
            {**json.loads(ECAlgorithm.to_jwk(P256.public_key())), "kid": "e"},
            {**SOUND, "kid": "o"},
        )
    )
    assert {kid: key.algorithm for kid, key in found.items()} == {"r": "RS256", "e": "ES256", "o": "EdDSA"}


WEAK_RSA = generate_rsa_key(public_exponent=65537, key_size=1024).public_key()  # noqa: S505  it is refused
ODD_RSA = generate_rsa_key(public_exponent=3, key_size=2048).public_key()


@pytest.mark.parametrize(
    "key",
    [
        {**SOUND, "kid": None},
        {**SOUND, "kid": ""},
        {**SOUND, "kid": "a b"},
        {**SOUND, "kid": 1},
        {**SOUND, "alg": "HS256"},
        {**SOUND, "alg": None},
        {**SOUND, "use": "enc"},
        {**SOUND, "x": "AAAA"},
        {**SOUND, "x": 1},
        {**SOUND, "x": "!"},
        {**SOUND, "crv": "P-256"},
        {**SOUND, "kty": "RSA"},
        {**SOUND, "kty": ["OKP"]},
        {**json.loads(OKPAlgorithm.to_jwk(SIGNER)), "kid": "one"},
        {**json.loads(OKPAlgorithm.to_jwk(Ed448PrivateKey.generate().public_key())), "kid": "one"},
        {**json.loads(ECAlgorithm.to_jwk(generate_private_key(SECP384R1()).public_key())), "kid": "one"},
        {**json.loads(ECAlgorithm.to_jwk(generate_private_key(SECP256K1()).public_key())), "kid": "one"},
        {**json.loads(ECAlgorithm.to_jwk(P256.public_key())), "kid": "one", "x": "AA"},
        {**json.loads(RSAAlgorithm.to_jwk(WEAK_RSA)), "kid": "one"},
        {**json.loads(RSAAlgorithm.to_jwk(ODD_RSA)), "kid": "one"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256"},
        {},
        [],
        "key",
        None,
    ],
)
def test_an_unfit_key_is_left_out_and_its_neighbours_count(key: object) -> None:
    assert keys_of(key_set(key, {**SOUND, "kid": "two"})).keys() == {"two"}


def test_a_name_given_twice_is_nobodys() -> None:
    other = json.loads(OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key()))
    assert keys_of(key_set(SOUND, {**other, "kid": "one"})) == {}


def test_points_of_small_order_sign_nothing() -> None:
    for y in _SMALL_ORDER:
        for sign in (0, 1):
            raw = ((sign << 255) | y).to_bytes(32, "little")
            point = json.loads(OKPAlgorithm.to_jwk(Ed25519PublicKey.from_public_bytes(raw)))
            assert keys_of(key_set({**point, "kid": "one"})) == {}


def test_the_points_of_small_order_are_those_that_eight_times_are_nothing() -> None:
    d = -121665 * pow(121666, -1, _P) % _P

    def doubled(y: int) -> int:  # y(2P) = (y² + x²) / (1 - d x² y²), and x² follows from y²
        x2 = (y * y - 1) * pow(d * y * y + 1, -1, _P) % _P
        return (y * y + x2) * pow(1 - d * x2 * y * y, -1, _P) % _P

    assert len(_SMALL_ORDER) == 7
    assert {doubled(doubled(doubled(y))) for y in _SMALL_ORDER} == {1}


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"keys": {}}', b"<html>", b"\xff", b"[" * 5000])
async def test_what_is_no_key_set_changes_nothing(text: bytes) -> None:
    issuer = Issuer()
    assert await issuer.keys.find("one")
    issuer.answer, issuer.now = text, issuer.now + 400
    assert await issuer.keys.find("one")
    assert await issuer.keys.find("two") is None
    assert issuer.asked == 2


# --- when they are fetched ----------------------------------------------------------------------------------------


class Issuer:
    """Publishes keys, and counts how often it is asked. Its seconds pass only when told."""

    def __init__(self, answer: bytes | OSError | None = None) -> None:
        self.answer = answer or key_set(SOUND)
        self.now, self.asked = 1000.0, 0
        self.keys = FetchedKeys(self.fetch, lambda: self.now)

    async def fetch(self) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_keys_are_fetched_once_for_all_who_ask_at_once() -> None:
    issuer = Issuer()
    found = await asyncio.gather(*(issuer.keys.find("one") for _ in range(50)))
    assert all(found)
    assert issuer.asked == 1


async def test_known_keys_count_five_minutes_and_are_renewed_behind() -> None:
    issuer = Issuer()
    await issuer.keys.find("one")
    issuer.now += 300
    await issuer.keys.find("one")
    await settled()
    assert issuer.asked == 1
    issuer.now += 1
    issuer.answer = key_set({**SOUND, "kid": "two"})
    assert await issuer.keys.find("one"), "answered at once from what is known"
    await settled()
    assert issuer.asked == 2
    assert await issuer.keys.find("two")
    assert await issuer.keys.find("one") is None, "withdrawn"


async def test_an_unknown_name_is_asked_for_at_most_once_in_thirty_seconds() -> None:
    issuer = Issuer()
    await issuer.keys.find("one")
    for _ in range(100):
        assert await issuer.keys.find("two") is None
    assert issuer.asked == 1
    issuer.now += 30
    issuer.answer = key_set(SOUND, {**SOUND, "kid": "two"})
    assert await issuer.keys.find("two"), "a new key needs no restart"
    for _ in range(100):
        assert await issuer.keys.find("three") is None
    assert issuer.asked == 2


async def test_the_last_good_keys_serve_a_day() -> None:
    issuer = Issuer()
    await issuer.keys.find("one")
    issuer.answer = ConnectionRefusedError()
    for _ in range(24):
        issuer.now += 3599
        assert await issuer.keys.find("one")
        assert issuer.keys.is_known
        await settled()
    issuer.now += 30
    assert await issuer.keys.find("one") is None
    assert not issuer.keys.is_known


async def test_an_issuer_that_is_away_is_asked_every_five_seconds() -> None:
    issuer = Issuer(ConnectionRefusedError())
    for _ in range(100):
        assert await issuer.keys.find("one") is None
    assert issuer.asked == 1
    issuer.now += 5
    issuer.answer = key_set(SOUND)
    assert await issuer.keys.find("one")


async def test_who_stops_waiting_does_not_end_the_fetch_of_others() -> None:
    issuer = Issuer()
    first, second = (asyncio.create_task(issuer.keys.find("one")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second


async def test_closing_ends_a_fetch() -> None:
    async def fetch() -> bytes:
        await asyncio.sleep(60)
        return b""

    keys = FetchedKeys(fetch)
    await keys.close()
    asking = asyncio.create_task(keys.find("one"))
    await asyncio.sleep(0)
    await keys.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
