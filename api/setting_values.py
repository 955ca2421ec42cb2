"""What a single setting may be: URLs, keys and lists, each checked and brought into one form by a type of its own.

Messages complete the sentence that the name of the setting begins, and never quote what was given.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_DRIVERS = {"postgres": "postgresql+asyncpg", "postgresql": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
_RUNS_CODE = {"javascript", "data", "vbscript", "file", "blob"}


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _database_url(given: SecretStr) -> SecretStr:
    try:
        url = make_url(given.get_secret_value())
    except (ArgumentError, ValueError):
        raise ValueError("is no database URL") from None
    driver = _DRIVERS.get(url.drivername, url.drivername)
    if driver not in _DRIVERS.values():
        raise ValueError("must begin with sqlite:// or postgresql://")
    query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}  # as asyncpg says it
    return SecretStr(url.set(drivername=driver, query=query).render_as_string(hide_password=False))


def _redis_url(given: SecretStr) -> SecretStr:
    parts = urlsplit(given.get_secret_value())
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        raise ValueError("must look like redis://host:6379/0")
    return given


def _origin(given: str) -> str:
    origin, parts = given.rstrip("/"), urlsplit(given)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in origin:
        raise ValueError("must look like https://charging.example.com")
    if origin != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("must be scheme, host and port, without a path")
    return origin


def _stand_in(given: str) -> str:
    origin = _origin(given)
    if not is_loopback(urlsplit(origin).hostname or ""):
        raise ValueError("must be on this machine (Adyen's own addresses need no setting)")
    return origin


def _https(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must be an https URL")
    return given


def _host_and_port(given: str) -> str:
    parts = urlsplit(f"//{given}")
    if not parts.hostname or parts.port is None or parts.netloc != given or "@" in given:
        raise ValueError("must look like 127.0.0.1:9090")
    return given


def _hmac_key(given: SecretStr) -> SecretStr:
    if not re.fullmatch(r"([0-9A-Fa-f]{64})?", given.get_secret_value()):
        raise ValueError("must be the 64 hexadecimal digits that Adyen shows")
    return given


def _separated(given: object) -> object:
    return given.replace(",", " ").split() if isinstance(given, str) else given


def _prefixes(given: tuple[str, ...]) -> tuple[str, ...]:
    """Each ends with a slash, so that no other host begins with it."""
    for prefix in given:
        scheme, separator, _ = prefix.partition("://")
        if not separator or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) or scheme in _RUNS_CODE:
            raise ValueError("must be https:// prefixes and schemes of apps, such as tallywatt://")
        if scheme in {"http", "https"} and (not urlsplit(prefix).hostname or "@" in prefix):
            raise ValueError("must name hosts, and no users")
    return tuple(prefix if prefix.endswith("/") else f"{prefix}/" for prefix in given)


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
"""Of the store, with its asynchronous driver; secret, for it may carry a password."""
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
Origin = Annotated[str, AfterValidator(_origin)]
"""Scheme, host and port, without a slash at the end."""
StandInUrl = Annotated[str, AfterValidator(_stand_in)]
"""An origin on this machine."""
HttpsUrl = Annotated[str, AfterValidator(_https)]
HostAndPort = Annotated[str, AfterValidator(_host_and_port)]
HmacKey = Annotated[SecretStr, AfterValidator(_hmac_key)]
"""64 hexadecimal digits, or none."""
ReturnUrls = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_separated), AfterValidator(_prefixes)]
"""Prefixes, separated by commas or blanks."""
