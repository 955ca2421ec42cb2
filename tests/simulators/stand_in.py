"""The payment stand-in as a process, its merchant's end of the webhooks, and what one would ask of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx2

ROOT = Path(__file__).parents[2]
HMAC_KEY, TOKEN_KEY = "c0ffee" * 10 + "abcd", "feed" * 16
ACCOUNT, API_KEY, USER, PASSWORD = "TallywattTest", "a key for tests", "hook", "pass:word"
CARD = {"type": "scheme"}
MANUAL = {"additionalData": {"authorisationType": "PreAuth"}}
Json = dict[str, Any]


class Receiver(ThreadingHTTPServer):
    """The merchant's end of the webhooks. `refusing` answers 503 to the next so many."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Door)
        self.items: list[Json] = []
        self.envelopes: list[Json] = []
        self.tokens: list[tuple[str, bytes]] = []
        self.refusing = 0
        self.url = f"http://127.0.0.1:{self.server_port}/webhooks/adyen"

    def of(self, reference: str) -> list[Json]:
        return [item for item in self.items if item["merchantReference"] == reference]

    def wait(self, reference: str, count: int) -> list[Json]:
        until(lambda: len(self.of(reference)) >= count)
        assert len(self.of(reference)) == count
        return self.of(reference)


class Door(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        assert self.headers["Authorization"] == "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        refused = self.server.refusing > 0
        self.server.refusing -= refused
        if self.path.endswith("/tokens"):
            self.server.tokens.append((self.headers["HmacSignature"], raw))
        elif not refused:  # kept before it is accepted: the next delivery comes in another thread
            self.server.envelopes.append(body)
            self.server.items += [item["NotificationRequestItem"] for item in body["notificationItems"]]
        self.send_response(503 if refused else 202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that BaseHTTPRequestHandler gives
        pass


class StandIn:
    """The stand-in as a process, and one client of it."""

    def __init__(self, receiver: Receiver, *more: str) -> None:
        self.receiver = receiver
        options = {"webhook-url": receiver.url, "hmac-key": HMAC_KEY, "merchant-account": ACCOUNT}
        options |= {"token-webhook-url": f"{receiver.url}/tokens", "token-hmac-key": TOKEN_KEY}
        options |= {"bind": "127.0.0.1:0", "webhook-user": USER, "retry-seconds": "0.05"}
        secrets = {"STANDIN_API_KEY": API_KEY, "STANDIN_WEBHOOK_PASSWORD": PASSWORD}
        argv = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.process = started(*argv, *more, env=secrets)
        assert self.process.stdout
        self.url = self.process.stdout.readline().split()[-1]
        self.http = httpx2.Client(base_url=self.url, headers={"X-API-Key": API_KEY}, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.process.kill()
        with self.process:  # reaps it and closes its pipe
            pass

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(10)

    def afresh(self) -> StandIn:
        """With empty books and no faults."""
        self.receiver.refusing = 0
        self.receiver.items.clear()
        assert self.post("/admin/reset").status_code == 200
        return self

    def get(self, path: str) -> httpx2.Response:
        return self.http.get(path)

    def post(self, path: str, body: object = None, key: str = "") -> httpx2.Response:
        if path.startswith("/v") and isinstance(body, dict):
            body = {"merchantAccount": ACCOUNT} | body
        return self.http.post(path, json=body, headers={"Idempotency-Key": key} if key else {})

    def press(self, session: str, **form: str) -> httpx2.Response:
        return self.http.post(f"/pay/{session}", data=form)

    def modify(self, psp: str, kind: str, value: int = 0, **more: object) -> Json:
        amount = {"amount": {"value": value, "currency": "EUR"}} if value else {}
        answer = self.post(f"/v72/payments/{psp}/{kind}", amount | more)
        assert (answer.status_code, answer.json()["paymentPspReference"]) == (201, psp)
        body: Json = answer.json()
        return body

    def later(self, seconds: int) -> None:
        assert self.post("/admin/clock/advance", {"seconds": seconds}).status_code == 200

    def order(self, **faults: object) -> None:
        assert self.post("/admin/faults", faults).status_code == 200

    def books(self) -> Json:
        answer: Json = self.get("/admin/books").json()
        return answer

    def left(self, shopper: str = "") -> dict[str, tuple[int, int, int]]:
        """For each currency what was captured, refunded and charged back; of one shopper or of all."""
        books = self.books()
        totals = books["shoppers"].get(shopper, {}) if shopper else books["totals"]
        names = ("captured_minor", "refunded_minor", "charged_back_minor")
        return {currency: tuple(of[name] for name in names) for currency, of in totals.items()}

    def pay(self, reference: str, value: int = 1000, more: Json | None = None) -> Json:
        answer = self.post("/v72/payments", asked(reference, value) | {"paymentMethod": CARD} | (more or {}))
        assert answer.status_code == 200
        body: Json = answer.json()
        return body


def started(*argv: str, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "simulators.adyen", *argv]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STANDIN_")}
    return subprocess.Popen(command, cwd=ROOT, env=clean | env, stdout=subprocess.PIPE, text=True)


def until(holds: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def asked(reference: str, value: int = 1000, currency: str = "EUR") -> Json:
    amount = {"value": value, "currency": currency}
    return {"amount": amount, "reference": reference, "returnUrl": "https://app.example/back?a=1#x"}


def told(items: list[Json]) -> list[tuple[str, str, int]]:
    return [(item["eventCode"], item["success"], item["amount"]["value"]) for item in items]


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def serving() -> Iterator[StandIn]:
    """A stand-in with a receiver of its own."""
    with receiving() as receiver, StandIn(receiver) as standin:
        yield standin
