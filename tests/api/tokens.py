"""Tokens as an issuer signs them, sound or odd in one place, and the key that it publishes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from api.auth import Unauthenticated, Verifier

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
SIGNER = Ed25519PrivateKey.generate()
OPERATOR = "01900000-0000-7000-8000-000000000001"
CLAIMS: dict[str, Any] = {
    "iss": "tallywatt-development",
    "aud": "tallywatt",
    "sub": "driver-1",
    "iat": SECONDS,
    "exp": SECONDS + 900,
    "role": "DRIVER",
    "operator_id": OPERATOR,
    "name": "Ada",
}
HEADERS = {"kid": "one", "typ": "at+jwt"}


def key_set(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


SOUND = {**json.loads(OKPAlgorithm.to_jwk(SIGNER.public_key())), "kid": "one"}


def token(headers: dict[str, Any] | None = None, **claims: object) -> str:
    """A sound token, but for what is said; None leaves a claim out."""
    said = {name: value for name, value in (CLAIMS | claims).items() if value is not None}
    return signed(json.dumps({"alg": "EdDSA"} | HEADERS | (headers or {})), json.dumps(said))


def signed(header: str, claims: str) -> str:
    """A token of exactly these texts, truly signed."""
    segments = [base64.urlsafe_b64encode(text.encode()).rstrip(b"=") for text in (header, claims)]
    signature = SIGNER.sign(b".".join(segments))
    return b".".join([*segments, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


async def refused(verifier: Verifier, bearer: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        await verifier.principal(bearer)
    assert caught.value.__suppress_context__
    assert str(caught.value) == caught.value.reason
    return caught.value.reason
