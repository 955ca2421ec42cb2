"""Who is asking: a bearer token becomes a Principal, or the request is refused (RFC 8725, RFC 9068).

PyJWT checks the signature; what it leaves open is checked here: duplicate keys, odd headers, times that are no whole
numbers, long lives. Tokens of development are signed by a key that lies in `TALLYWATT_VAR`; production has none.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from api.jwks import KID, FetchedKeys, Key, KeySource, OneKey, fetching
from api.keys import kept_once
from api.settings import Settings
from domain.clock import Clock, SystemClock
from domain.ids import OperatorId
from resolvers.principal import Principal, Role

LEEWAY = timedelta(seconds=5)
LONGEST_LIFE = timedelta(hours=1)
LONGEST_TOKEN = 8192

_DEVELOPMENT_KID = "development"
_CLAIMS = ("iss", "aud", "sub", "iat", "exp", "role", "operator_id", "name")
_HEADERS = {"alg", "kid", "typ"}
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_DEEPEST = 4
_REASONS: dict[type[jwt.PyJWTError], str] = {
    jwt.InvalidSignatureError: "bad_signature",
    jwt.InvalidAudienceError: "wrong_audience",
    jwt.InvalidIssuerError: "wrong_issuer",
    jwt.MissingRequiredClaimError: "missing_claim",
}


class Unauthenticated(Exception):
    """A credential that is not one. `reason` is a word for the log; the caller is told nothing of it."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RefusedInProduction(Exception):
    """Something that only development may do."""


class Verifier:
    """Turns bearer tokens into principals."""

    def __init__(self, settings: Settings, clock: Clock | None = None, keys: KeySource | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._keys = keys or _keys(settings)

    async def principal(self, bearer: str | None) -> Principal:
        """Who this token speaks for; without one, a guest. Raises Unauthenticated.

        The reason `keys_unavailable` is no fault of the token: the issuer has not answered yet.
        """
        if bearer is None:
            return _guest(self._settings)
        header, claims = _parts(bearer)
        key = await self._key(header)
        self._verify(bearer, key)
        self._check_times(claims)
        return _principal(claims)

    async def close(self) -> None:
        """End what is under way."""
        await self._keys.close()

    async def _key(self, header: dict[str, Any]) -> Key:
        """The key a token names; its algorithm and no other."""
        kid = header.get("kid")
        if header.keys() - _HEADERS:
            _refuse("odd_header")
        if header.get("typ") != self._settings.jwt_type:
            _refuse("wrong_type")
        if not isinstance(kid, str) or not KID.fullmatch(kid):
            _refuse("unknown_key")
        key = await self._keys.find(kid)
        if key is None:
            _refuse("unknown_key" if self._keys.is_known else "keys_unavailable")
        if header.get("alg") != key.algorithm:
            _refuse("wrong_algorithm")
        return key

    def _verify(self, token: str, key: Key) -> None:
        try:
            jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                audience=self._settings.jwt_audience,
                issuer=self._settings.jwt_issuer,
                options={
                    "require": list(_CLAIMS),
                    "strict_aud": True,
                    "enforce_minimum_key_length": True,
                    "verify_exp": False,  # times are checked by our own clock
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            _refuse(_REASONS.get(type(error), "malformed"))

    def _check_times(self, claims: dict[str, Any]) -> None:
        issued, expires, begins = claims["iat"], claims["exp"], claims.get("nbf", 0)
        if any(type(instant) is not int for instant in (issued, expires, begins)):
            _refuse("malformed")
        now, leeway = self._clock.now().timestamp(), LEEWAY.total_seconds()
        if expires - issued > LONGEST_LIFE.total_seconds():
            _refuse("lives_too_long")
        if max(issued, begins) > now + leeway:
            _refuse("not_yet_valid")
        if expires <= now - leeway:
            _refuse("expired")


def bearer_of(authorization: str | None) -> str | None:
    """The token of an Authorization header; None if there is no header. Raises Unauthenticated for other schemes."""
    if authorization is None:
        return None
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        _refuse("wrong_scheme")
    return token


def issue_development_token(
    settings: Settings, role: Role, subject: str, lifetime: timedelta, *, name: str = "", clock: Clock | None = None
) -> str:
    """A token of at most one hour that the Verifier of the same settings takes. Raises RefusedInProduction."""
    if settings.is_production or settings.jwks_url:
        raise RefusedInProduction("tokens are signed by the issuer whose keys TALLYWATT_JWKS_URL names")
    if not timedelta() < lifetime <= LONGEST_LIFE:
        raise ValueError("a token lives for at most an hour")
    now = int((clock or SystemClock()).now().timestamp())
    claims = {
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "sub": subject,
        "iat": now,
        "exp": now + int(lifetime.total_seconds()),
        "role": role.value,
        "operator_id": str(settings.operator_id),
        "name": name or subject,
    }
    headers = {"typ": settings.jwt_type, "kid": _DEVELOPMENT_KID}
    return jwt.encode(claims, _development_key(settings), algorithm="EdDSA", headers=headers)


def _keys(settings: Settings) -> KeySource:
    if settings.jwks_url:
        return FetchedKeys(fetching(settings.jwks_url))
    return OneKey(Key(_DEVELOPMENT_KID, "EdDSA", _development_key(settings).public_key()))


def _development_key(settings: Settings) -> Ed25519PrivateKey:
    if settings.is_production:
        raise RefusedInProduction("a development key signs nothing in production")
    key = load_pem_private_key(kept_once(settings.var / "token-signing-key.pem", _new_key), password=None)
    assert isinstance(key, Ed25519PrivateKey)
    return key


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _guest(settings: Settings) -> Principal:
    return Principal("guest", Role.GUEST, settings.operator_id, datetime.max.replace(tzinfo=UTC), "Guest")


def _principal(claims: dict[str, Any]) -> Principal:
    subject, role, name = claims["sub"], claims["role"], claims["name"]
    if not _is_text(subject) or not _is_text(name):
        _refuse("malformed")
    if role not in list(Role):  # not a set: it may be anything
        _refuse("unknown_role")
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    return Principal(subject, Role(role), _operator(claims["operator_id"]), expires_at, name)


def _operator(text: object) -> OperatorId:
    try:
        return OperatorId(UUID(text if isinstance(text, str) else ""))
    except ValueError:
        _refuse("malformed")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 255 and value.isprintable()  # noqa: PLR2004


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, neither believed yet: three segments, strict JSON objects."""
    if len(token) > LONGEST_TOKEN or not _SHAPE.fullmatch(token):
        _refuse("malformed")
    header, claims, _ = token.split(".")
    return _object(header), _object(claims)


def _object(segment: str) -> dict[str, Any]:
    try:
        text = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True).decode()
        value = json.loads(text, object_pairs_hook=_without_twins, parse_constant=_no_number)
    except (ValueError, RecursionError):
        _refuse("malformed")
    if not isinstance(value, dict) or _depth(value) > _DEEPEST:
        _refuse("malformed")
    return value


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        _refuse("malformed")
    return values


def _no_number(_: str) -> NoReturn:
    _refuse("malformed")


def _depth(value: object) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inside), default=0) if isinstance(value, (dict, list)) else 0


def _refuse(reason: str) -> NoReturn:
    raise Unauthenticated(reason) from None
