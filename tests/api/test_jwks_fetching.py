"""How keys are fetched: by https, from whoever can show that it is the issuer, within bounds."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.jwks import LARGEST_ANSWER, FetchedKeys, fetching, keys_of
from tests.api.tokens import SOUND, key_set

P256 = generate_private_key(SECP256R1())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 with its key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, P256.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(P256, SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key = P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(key + signed.public_bytes(Encoding.PEM))
    return path


@asynccontextmanager
async def served(certificate: Path, answer: bytes) -> AsyncIterator[Callable[..., Any]]:
    """A server that sends these bytes; gives a way to fetch from it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if answer:
            writer.close()

    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(certificate)
    server = await asyncio.start_server(talk, "localhost", 0, ssl=identity)
    port = server.sockets[0].getsockname()[1]
    yield lambda trust=None: fetching(f"https://localhost:{port}/jwks.json", trust)
    server.close()


def http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


async def test_keys_come_by_https(certificate: Path) -> None:
    async with served(certificate, http(key_set(SOUND))) as fetch:
        assert keys_of(await fetch(ssl.create_default_context(cafile=certificate))()).keys() == {"one"}


async def test_an_issuer_that_cannot_show_who_it_is_is_not_asked(certificate: Path) -> None:
    async with served(certificate, http(key_set(SOUND))) as fetch:
        assert await FetchedKeys(fetch()).find("one") is None


@pytest.mark.parametrize(
    "answer",
    [
        http(b"", "302 Found", "Location: /other\r\n"),
        http(key_set(SOUND), "500 Internal Server Error"),
        http(key_set(SOUND) + b" " * LARGEST_ANSWER),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{}",
        b"nonsense\r\n\r\n",
    ],
)
async def test_an_answer_that_is_none_is_not_believed(certificate: Path, answer: bytes) -> None:
    async with served(certificate, answer) as fetch:
        assert await FetchedKeys(fetch(ssl.create_default_context(cafile=certificate))).find("one") is None


async def test_an_issuer_that_says_nothing_is_given_up(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.jwks.FETCH_SECONDS", 0.2)
    async with served(certificate, b"") as fetch:
        keys = FetchedKeys(fetch(ssl.create_default_context(cafile=certificate)))
        assert await asyncio.wait_for(keys.find("one"), 2) is None


@pytest.mark.parametrize("url", ["http://login.example.com/jwks.json", "file:///etc/passwd", ""])
def test_keys_come_by_nothing_else(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        fetching(url)
