"""Public keys of meters and what they verify: ECDSA by OpenSSL, and secp192k1, which that lacks, by python-ecdsa."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import ecdsa
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from ecdsa.ellipticcurve import CurveFp, PointJacobi
from ecdsa.errors import MalformedPointError
from ecdsa.util import sigdecode_der

from domain.errors import InvalidInput
from domain.meters.ocmf import Ocmf

LONGEST = 1024
_HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


def _secp192k1() -> ecdsa.curves.Curve:
    """SEC 2, version 2.0, section 2.2.1."""
    curve = CurveFp(2**192 - 2**32 - 0x11C9, 0, 3, 1)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFE26F2FC170F69466A74DEFD8D
    generator = PointJacobi(
        curve,
        0xDB4FF10EC057E9AE26B07D0280B7F4341DA5D1B1EAE06C7D,
        0x9B2F2F6D9C5628A7844163D015BE86344082AA88D95E2F9D,
        1,
        order,
        generator=True,
    )
    return ecdsa.curves.Curve("secp192k1", curve, generator, (1, 3, 132, 0, 31))


SECP192K1 = _secp192k1()
_SECP192K1_INFO = bytes.fromhex("3046301006072a8648ce3d020106052b8104001f03320004")
"""What stands before the point in a SubjectPublicKeyInfo of that curve."""


class SignatureVerdict(StrEnum):
    """What became of a signature. UNVERIFIABLE: no key, or a format nobody here reads; ABSENT: nothing was signed."""

    VERIFIED = "verified"
    FAILED = "failed"
    UNVERIFIABLE = "unverifiable"
    ABSENT = "absent"


class KeySource(StrEnum):
    """Whose word it is that a key is the meter's: our registry's, or that of the record itself."""

    REGISTRY = "registry"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class MeterKey:
    """A public key; `text` is its SubjectPublicKeyInfo in hexadecimal digits, equal for equal keys."""

    text: str
    curve: str
    verifies: Callable[[bytes, bytes, str], bool]
    """Whether a signature (DER) fits a message by a digest, named as in OCMF."""


def meter_key(text: str) -> MeterKey:
    """A key as DER (SubjectPublicKeyInfo) in hexadecimal or base64 digits, spaces or not. Raises InvalidInput."""
    digits = "".join(text.split())
    for decode in (bytes.fromhex, _base64) if len(digits) <= LONGEST else ():
        try:
            info = decode(digits)
            return _old(info) if info.startswith(_SECP192K1_INFO) else _known(info)
        except (ValueError, UnsupportedAlgorithm, MalformedPointError):
            continue
    raise InvalidInput("This is not the public key of a meter: a DER SubjectPublicKeyInfo in hex or base64 is needed.")


def _known(info: bytes) -> MeterKey:
    key = load_der_public_key(info)
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("no elliptic curve")  # noqa: TRY004  meter_key tries the next spelling

    def verifies(signature: bytes, message: bytes, digest: str) -> bool:
        try:
            key.verify(signature, message, ECDSA(_HASHES[digest]))
        except (InvalidSignature, ValueError):
            return False
        return True

    return MeterKey(info.hex(), key.curve.name, verifies)


def _old(info: bytes) -> MeterKey:
    key = ecdsa.VerifyingKey.from_string(info[len(_SECP192K1_INFO) :], curve=SECP192K1)

    def verifies(signature: bytes, message: bytes, digest: str) -> bool:
        try:
            return bool(key.verify(signature, message, getattr(hashlib, digest.lower()), sigdecode_der))
        except ecdsa.BadSignatureError:
            return False

    return MeterKey(info.hex(), SECP192K1.name, verifies)


def judged(
    record: Ocmf, registered: Sequence[MeterKey], told: MeterKey | None
) -> tuple[SignatureVerdict, KeySource | None]:
    """Whether a key of the registry or, where that has none, the one that came along verifies the record."""
    keys, source = (registered, KeySource.REGISTRY) if registered else ((told,) if told else (), KeySource.RECORD)
    if not keys:
        return SignatureVerdict.UNVERIFIABLE, None
    verified = any(_fits(record, key) for key in keys)
    return (SignatureVerdict.VERIFIED if verified else SignatureVerdict.FAILED), source


def _fits(record: Ocmf, key: MeterKey) -> bool:
    _, _, named = record.method.partition("ECDSA-")
    curve, _, digest = named.rpartition("-")
    decode = {"hex": bytes.fromhex, "base64": _base64}.get(record.encoding)
    if decode is None or digest not in _HASHES or _plainly(curve) != _plainly(key.curve):
        return False
    try:
        signature = decode(record.signature)
    except ValueError:
        return False
    return key.verifies(signature, record.signed.encode(), digest)


def _plainly(curve: str) -> str:
    """OCMF writes brainpool curves with and without the P of their names."""
    return curve.casefold().replace("brainpoolp", "brainpool")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
