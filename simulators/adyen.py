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
from simulators.adyen_api import Api
from simulators.adyen_bank import Bank
from simulators.adyen_books import Books, Clock
from simulators.adyen_checkout import Checkout
from simulators.adyen_courier import Courier
from simulators.adyen_disputes import Disputes
from simulators.adyen_erasure import Erasure
from simulators.adyen_faults import Faults
from simulators.adyen_modifications import Modifications
from simulators.adyen_pages import PayPage
from simulators.adyen_settlement import Settlement
from simulators.adyen_webhooks import Receiver

_NEEDED = {
    "bind": "address and port to listen on, HOST:PORT; port 0 takes a free one",
    "webhook-url": "where webhooks are delivered",
    "webhook-user": "basic auth of the webhooks: user",
    "webhook-password": "basic auth of the webhooks: password",
    "hmac-key": "what webhooks are signed with, in hex",
    "api-key": "the API key to be shown in X-API-Key",
    "merchant-account": "the only merchant account there is",
}
_OPTIONAL = {
    "books": "keep the books in this file; else in memory",
    "retry-seconds": "what a minute of Adyen's takes between two tries of a webhook; 1 if not said",
    "hmac-key-previous": "the key before, for webhooks that are told to be signed with it",
    "token-webhook-url": "where webhooks about tokens are delivered; nowhere if not said",
    "token-hmac-key": "what they are signed with, in hex",
    "report-key": "the API key, or the report user's password, for settlement reports; the API key if not said",
}


@dataclass(frozen=True)
class Config:
    """What the stand-in must know. `books` is a file, or None for memory."""

    host: str
    port: int
    receiver: Receiver
    api_key: str = field(repr=False)
    merchant_account: str
    report_key: str = field(repr=False)
    books: Path | None = None


def create_app(config: Config) -> Starlette:
    """The stand-in over its books; its webhooks go out while it runs."""
    books, faults, account = Books(config.books), Faults(), config.merchant_account
    clock = Clock(books)
    courier = Courier(books, faults, config.receiver, account, clock)
    bank = Bank(books, courier, clock, faults)
    modifications = Modifications(books, courier, clock, faults)
    disputes = Disputes(books, courier, clock)
    settlement = Settlement(books, courier, clock, account, config.report_key)

    def let_time_pass() -> None:
        bank.expire_what_is_due()
        modifications.happen_what_is_due()
        disputes.end_what_is_due()

    def look_around() -> None:
        with books.transaction():
            let_time_pass()

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        delivering = asyncio.create_task(courier.run(look_around))
        yield
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering
        books.close()

    api = Api(books, courier, faults, let_time_pass, config.api_key, account)
    routes = [
        Checkout(books, bank, modifications, courier, clock, account).routes(api),
        disputes.routes(api),
        Erasure(books).routes(api),
        *PayPage(books, bank, account).routes(),
        *settlement.routes(),
        *Desk(books, courier, clock, faults, disputes, settlement).routes(),
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
    for name, words in _NEEDED.items():
        parser.add_argument(f"--{name}", default=default(name), required=default(name) is None, help=words)
    for name, words in _OPTIONAL.items():
        parser.add_argument(f"--{name}", default=default(name) or "", help=words)
    chosen = parser.parse_args(argv)
    host, _, port = chosen.bind.rpartition(":")
    if not (host and port.isdecimal()):
        parser.error("--bind is HOST:PORT")
    if not chosen.webhook_url.startswith(("http://", "https://")):
        parser.error("--webhook-url begins with http:// or https://")
    try:
        keys = [bytes.fromhex(key) for key in (chosen.hmac_key, chosen.token_hmac_key, chosen.hmac_key_previous)]
        minute = float(chosen.retry_seconds or 1)
    except ValueError as error:
        parser.error(f"a key is not hexadecimal, or --retry-seconds no number: {error}")
    receiver = Receiver(
        url=chosen.webhook_url,
        user=chosen.webhook_user,
        password=chosen.webhook_password,
        hmac_key=keys[0],
        retry_seconds=minute,
        token_url=chosen.token_webhook_url,
        token_key=keys[1],
        old_key=keys[2],
    )
    return Config(
        host=host.strip("[]"),
        port=int(port),
        receiver=receiver,
        api_key=chosen.api_key,
        merchant_account=chosen.merchant_account,
        report_key=chosen.report_key or chosen.api_key,
        books=Path(chosen.books) if chosen.books else None,
    )


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _fail(words: str) -> NoReturn:
    sys.stderr.write(f"adyen-standin: {words}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
