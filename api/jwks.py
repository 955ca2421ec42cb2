"""The public keys that tokens are checked with: an issuer's, fetched and kept (RFC 7517), or the one of development.

Only RS256, ES256 and EdDSA over Ed25519 exist here, and the algorithm is the key's own, whatever a token says.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import httpx2
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
KID = re.compile(r"[A-Za-z0-9._-]{1,128}")

FRESH_SECONDS = 300
STALE_SECONDS = 24 * 3600
"""How long the last good keys count while the issuer is away."""
REFETCH_SECONDS = 30
RETRY_SECONDS = 5
FETCH_SECONDS = 3
LARGEST_ANSWER = 65_536
MOST_KEYS = 32

_ALGORITHMS = {"RSA": "RS256", "EC": "ES256", "OKP": "EdDSA"}
_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _P - 1, _P, _P + 1, _ORDER_8, _P - _ORDER_8})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the one algorithm it is for."""

    kid: str
    algorithm: str
    public: PublicKey


class KeySource(Protocol):
    """Where a token's key is looked up."""

    @property
    def is_known(self) -> bool:
        """Whether there are any keys, so that a missing one means something."""
        ...

    async def find(self, kid: str) -> Key | None:
        """The key of this name, if there is one."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class OneKey:
    """A source of a single key; for development."""

    is_known = True

    def __init__(self, key: Key) -> None:
        self._key = key

    async def find(self, kid: str) -> Key | None:
        """The key, if this is its name."""
        return self._key if kid == self._key.kid else None

    async def close(self) -> None:
        """Nothing to give back."""


class FetchedKeys:
    """An issuer's keys. What is known answers at once and is renewed behind; only an unknown name waits for a fetch."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], seconds: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._seconds = fetch, seconds
        self._keys: dict[str, Key] = {}
        self._fetched_at = self._not_before = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the issuer has answered within a day."""
        return self._age() <= STALE_SECONDS

    async def find(self, kid: str) -> Key | None:
        """The key of this name; one that is not known is asked for, at most once in 30 seconds."""
        key = self._known(kid)
        if key is None or self._age() > FRESH_SECONDS:
            fetching = self._refreshed()
            if key is None and fetching is not None:
                await asyncio.shield(fetching)
                key = self._known(kid)
        return key

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _known(self, kid: str) -> Key | None:
        return self._keys.get(kid) if self.is_known else None

    def _age(self) -> float:
        return self._seconds() - self._fetched_at

    def _refreshed(self) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one; None if it is too early for one."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._seconds() < self._not_before:
            return None
        self._fetching = asyncio.create_task(self._refresh())
        return self._fetching

    async def _refresh(self) -> None:
        try:
            keys = keys_of(await self._fetch())
        except (httpx2.HTTPError, OSError, ValueError, RecursionError) as error:  # TimeoutError is an OSError
            self._not_before = self._seconds() + RETRY_SECONDS
            _log.warning("jwks_not_fetched", error=type(error).__name__)
        else:
            self._keys, self._fetched_at = keys, self._seconds()
            self._not_before = self._fetched_at + REFETCH_SECONDS


def fetching(url: str, trust: ssl.SSLContext | None = None) -> Callable[[], Awaitable[bytes]]:
    """How to get a key set: https, no redirects, three seconds, 64 KB."""
    if not url.startswith("https://"):
        raise ValueError("keys are fetched by https only")
    context = trust or ssl.create_default_context()

    async def fetch() -> bytes:
        content = bytearray()
        async with asyncio.timeout(FETCH_SECONDS), httpx2.AsyncClient(verify=context, timeout=FETCH_SECONDS) as client:
            asked = client.stream("GET", url, headers={"Accept-Encoding": "identity"}, follow_redirects=False)
            async with asked as answer:
                if answer.status_code != httpx2.codes.OK:
                    raise ValueError("the issuer did not answer with its keys")
                async for chunk in answer.aiter_raw():
                    content += chunk
                    if len(content) > LARGEST_ANSWER:
                        raise ValueError("the issuer's keys are too large")
        return bytes(content)

    return fetch


def keys_of(text: bytes) -> dict[str, Key]:
    """The keys of a JSON Web Key Set that are fit for use, by name; a name given twice is nobody's."""
    document = json.loads(text.decode())
    listed = document.get("keys") if isinstance(document, dict) else None
    if listed is None or not isinstance(listed, list):
        raise ValueError("no key set")
    found = [key for key in map(_key_of, listed[:MOST_KEYS]) if key]
    names = [key.kid for key in found]
    return {key.kid: key for key in found if names.count(key.kid) == 1}


def _key_of(jwk: object) -> Key | None:
    if not isinstance(jwk, dict):
        return None
    texts = {name: value for name, value in jwk.items() if isinstance(value, str)}
    algorithm = _ALGORITHMS.get(texts.get("kty", ""))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    if not KID.fullmatch(texts.get("kid", "")):
        return None
    try:
        public = PyJWK(texts, algorithm).key
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    return Key(texts["kid"], algorithm, public) if _is_strong(public) else None


def _is_strong(public: object) -> bool:
    if isinstance(public, RSAPublicKey):
        return public.key_size >= 2048 and public.public_numbers().e == 65537  # noqa: PLR2004  as RFC 7518 and we ask
    if isinstance(public, EllipticCurvePublicKey):
        return isinstance(public.curve, SECP256R1)
    if isinstance(public, Ed25519PublicKey):
        y = int.from_bytes(public.public_bytes_raw(), "little") & (2**255 - 1)
        return y not in _SMALL_ORDER
    return False
