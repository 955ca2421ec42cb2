"""Signed cursors: a position in one list of one viewer, which nobody else can build, move or read anything into."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

import orjson

_SIGNATURE = 16


class BadCursor(ValueError):
    """A cursor that was damaged, or is of another list or viewer."""


class Cursors:
    """Makes and reads cursors; `key` signs, `viewer` is bound in."""

    def __init__(self, key: bytes, viewer: str) -> None:
        self._key = key
        self._viewer = viewer

    def make(self, scope: str, keys: Sequence[str | int]) -> str:
        """A position in the list `scope`: the list and its filter in words."""
        payload = orjson.dumps(list(keys))
        return base64.urlsafe_b64encode(payload + self._sign(scope, payload)).rstrip(b"=").decode()

    def read(self, scope: str, text: str) -> list[str | int]:
        """The position a cursor of this list names. Raises BadCursor."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise BadCursor from None
        payload, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
        if not hmac.compare_digest(signature, self._sign(scope, payload)):
            raise BadCursor
        keys: list[str | int] = orjson.loads(payload)
        return keys

    def _sign(self, scope: str, payload: bytes) -> bytes:
        message = b"\0".join((self._viewer.encode(), scope.encode(), payload))
        return hmac.digest(self._key, message, hashlib.sha256)[:_SIGNATURE]
