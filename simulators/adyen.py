"""A stand-in for Adyen: a process of its own, real HTTP, its own books, and faults to order.

    python -m simulators.adyen --bind 127.0.0.1:8090 --webhook-url http://127.0.0.1:8000/webhooks/adyen …

It is a judge: it shares no code with the product, and keeps to Adyen's published contract (Checkout v72, standard
webhooks v1). Every option is also read from the environment: STANDIN_BIND, STANDIN_WEBHOOK_URL and so on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulators.adyen_admin import Desk
from simulators.adyen_bank import Bank, Clock
from simulators.adyen_books import Books
from simulators.adyen_checkout import Checkout
from simulators.adyen_faults import Faults
from simulators.adyen_pages import PayPage
from simulators.adyen_webhooks import Courier, Receiver

_OPTIONS = {
    "bind": "address and port to listen on, HOST:PORT; port 0 takes a free one",
    "webhook-url": "where webhooks are delivered",
    "webhook-user": "basic auth of the webhooks: user",
    "webhook-password": "basic auth of the webhooks: password",
    "hmac-key": "what webhooks are signed with, in hex",
    "api-key": "the API key to be shown in X-API-Key",
    "merchant-account": "the only merchant account there is",
}


@dataclass(frozen=True)
class Config:
    """What the stand-in must know. `books` is a file, or None for memory."""

    host: str
    port: int
    receiver: Receiver
    api_key: str = field(repr=False)
    merchant_account: str
    books: Path | None = None


def create_app(config: Config) -> Starlette:
    """The stand-in over its books; its webhooks go out while it runs."""
    books, faults = Books(config.books), Faults()
    clock = Clock(books)
    courier = Courier(books, faults, config.receiver, config.merchant_account, clock)
    bank = Bank(books, courier, clock)

    def look_around() -> None:
        with books.transaction():
            bank.expire_what_is_due()

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        delivering = asyncio.create_task(courier.run(look_around))
        yield
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering
        books.close()

    routes = [
        Checkout(books, bank, clock, faults, config.api_key, config.merchant_account).routes(),
        *PayPage(books, bank, config.merchant_account).routes(),
        *Desk(books, courier, clock, faults).routes(),
    ]
    return Starlette(routes=routes, lifespan=running)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    config = _config(argv, os.environ)
    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, _end)
    try:
        app = create_app(config)
    except sqlite3.Error as error:
        _fail(f"cannot open the books {config.books}: {error}")
    listener = socket.socket(socket.AF_INET6 if ":" in config.host else socket.AF_INET)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
            listener.listen()  # whoever reads the next line may connect
        except OSError as error:
            _fail(f"cannot listen on {config.host}:{config.port}: {error.strerror}")
        sys.stdout.write(f"Adyen stand-in on http://{config.host}:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        served = uvicorn.Config(app, http=Line, ws="none", log_level="warning", timeout_graceful_shutdown=2)
        uvicorn.Server(served).run(sockets=[listener])


class Line(HttpToolsProtocol):
    """A connection that a request may cut: `request.state.hang_up()`."""

    def on_message_begin(self) -> None:
        """Hand the scissors to the request."""
        super().on_message_begin()
        self.scope["state"]["hang_up"] = self.transport.abort


def _config(argv: Sequence[str] | None, environ: Mapping[str, str]) -> Config:
    def default(name: str) -> str | None:
        return environ.get("STANDIN_" + name.upper().replace("-", "_")) or None

    parser = argparse.ArgumentParser(prog="adyen-standin", description="A stand-in for Adyen.")
    for name, words in _OPTIONS.items():
        parser.add_argument(f"--{name}", default=default(name), required=default(name) is None, help=words)
    parser.add_argument("--books", default=default("books"), type=Path, help="keep the books here; else in memory")
    parser.add_argument("--retry-seconds", default=default("retry-seconds") or "1", type=float, help="first pause")
    chosen = parser.parse_args(argv)
    host, _, port = chosen.bind.rpartition(":")
    if not (host and port.isdecimal()):
        parser.error("--bind is HOST:PORT")
    if not chosen.webhook_url.startswith(("http://", "https://")):
        parser.error("--webhook-url begins with http:// or https://")
    try:
        key = bytes.fromhex(chosen.hmac_key)
    except ValueError:
        parser.error("--hmac-key is not hexadecimal")
    receiver = Receiver(chosen.webhook_url, chosen.webhook_user, chosen.webhook_password, key, chosen.retry_seconds)
    return Config(host.strip("[]"), int(port), receiver, chosen.api_key, chosen.merchant_account, chosen.books)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _fail(words: str) -> NoReturn:
    sys.stderr.write(f"adyen-standin: {words}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
