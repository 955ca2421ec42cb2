"""One root secret, and a key of its own for each purpose (HKDF, RFC 5869): losing one tells nothing about another."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST_ROOT = 32
"""Bytes of a root secret, at least."""


class NotSealedByUs(ValueError):
    """A sealed text that was changed, cut, or sealed under another root."""


class Keys:
    """Keys derived from `root`; the same root gives the same keys in every process."""

    def __init__(self, root: bytes) -> None:
        if len(root) < SHORTEST_ROOT:
            raise ValueError(f"a root secret has at least {SHORTEST_ROOT} bytes")
        self._tokens = _derived(root, "token hash")
        self._cursors = _derived(root, "cursor")
        self._seals = Fernet(base64.urlsafe_b64encode(_derived(root, "seal")))

    def token_hash(self, token: str) -> str:
        """What is stored of a machine's token, in hex: enough to look it up by, too little to use it."""
        return hmac.digest(self._tokens, token.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()

    def seal(self, text: str) -> str:
        """A text that only `open` can read, for secrets that lie in the database; ASCII, different each time."""
        return self._seals.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises NotSealedByUs."""
        try:
            return self._seals.decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError):
            raise NotSealedByUs("not sealed under this root") from None

    def cursor_key(self) -> bytes:
        """32 bytes that sign the cursors of lists."""
        return self._cursors


def kept_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """What lies at `path`; made first if nothing does. Of several processes at once one makes it, all read the same."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):  # another process was faster: its secret counts
                path.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    return path.read_bytes()


def _derived(root: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"tallywatt: {purpose}, 1".encode()).derive(root)
