"""A meter to test with: keys of every curve, and records signed with them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ecdsa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ecdsa.util import sigencode_der

from domain.meters import SignedValue
from domain.meters.keys import SECP192K1

CURVES = {
    "secp192r1": ec.SECP192R1(),
    "secp256r1": ec.SECP256R1(),
    "secp256k1": ec.SECP256K1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
    "brainpoolP256r1": ec.BrainpoolP256R1(),
    "brainpoolP384r1": ec.BrainpoolP384R1(),
}
DIGESTS = {"SHA256": hashes.SHA256(), "SHA512": hashes.SHA512()}
NAMES = (*CURVES, "secp192k1")


@dataclass(frozen=True)
class Meter:
    """Signs whatever it is given; `key` is its public key in hexadecimal digits."""

    curve: str = "secp256r1"
    seed: int = 7

    @property
    def _secret(self) -> Any:  # noqa: ANN401  a key of one library or of the other
        if self.curve == "secp192k1":
            return ecdsa.SigningKey.from_secret_exponent(self.seed, SECP192K1)
        return ec.derive_private_key(self.seed, CURVES[self.curve])

    @property
    def key(self) -> str:
        if self.curve == "secp192k1":
            return str(self._secret.verifying_key.to_der().hex())
        return str(self._secret.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex())

    def sign(self, payload: str, digest: str = "SHA256", encoding: str | None = None, **more: str) -> str:
        """`OCMF|payload|signature`."""
        message = payload.encode()
        if self.curve == "secp192k1":
            hashed = getattr(hashlib, digest.lower())
            signature = self._secret.sign_deterministic(message, hashfunc=hashed, sigencode=sigencode_der)
        else:
            signature = self._secret.sign(message, ec.ECDSA(DIGESTS[digest]))
        written = base64.b64encode(signature).decode() if encoding == "base64" else signature.hex()
        told = {"SA": f"ECDSA-{self.curve}-{digest}", "SD": written} | ({"SE": encoding} if encoding else {}) | more
        return f"OCMF|{payload}|{json.dumps(told)}"

    def record(self, *readings: Mapping[str, object], **more: object) -> str:
        return self.sign(payload(*readings, **more))

    def pair(self, begin: str = "10.0", end: str = "20.0", minutes: int = 60) -> tuple[SignedValue, SignedValue]:
        """Begin and end of a session from noon of 2 March 2026, UTC, signed one by one."""
        hours, rest = divmod(12 * 60 + minutes, 60)
        return (
            SignedValue("Start", self.record(reading("B", begin, "12:00:00"), PG="T1")),
            SignedValue("End", self.record(reading("E", end, f"{hours}:{rest:02}:00"), PG="T2")),
        )


def reading(reason: str, value: str, clock: str = "12:00:00", **more: object) -> dict[str, object]:
    """One reading in kWh; `value` is written as a number, exactly as given."""
    at = f"2026-03-02T{clock},000+0000 S"
    found = {"TM": at, "TX": reason, "RV": Exact(value), "RI": "1-0:1.8.0", "RU": "kWh", "ST": "G", "EF": ""}
    return found | more


def payload(*readings: Mapping[str, object], **more: object) -> str:
    content = {"FV": "1.0", "GS": "G-1", "MS": "M-1", "PG": "T1", "IS": True, "RD": list(readings)} | more
    text = json.dumps(content, default=str)
    for one in readings:
        if isinstance(one.get("RV"), Exact):
            text = text.replace(f'"{one["RV"]}"', str(one["RV"]))
    return text


class Exact:
    """A number that is written as it is spelled."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text
