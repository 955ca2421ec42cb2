"""A gateway in small, and the process of the charge points with what one would ask of it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

ROOT = Path(__file__).parents[2]
COMMANDS = "/ocpi/2.2.1/commands"
TOKEN = {"country_code": "NL", "party_id": "TWT", "uid": "APP-1", "type": "APP_USER", "contract_id": "NL-TWT-C1"}
DUE_SECONDS = 10


class Heard(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Gateway(ThreadingHTTPServer):
    """Keeps sessions as an OCPI receiver does; `refusals` are answered first, as (HTTP status, OCPI status code)."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Receiver)
        self.heard: list[Heard] = []
        self.sessions: dict[str, dict[str, Any]] = {}
        self.refusals: list[tuple[int, int]] = []

    def answer(self, heard: Heard) -> tuple[int, int]:
        self.heard.append(heard)
        if self.refusals:
            return self.refusals.pop(0)
        if heard.method == "PUT":
            self.sessions[heard.path] = heard.body
        elif heard.method == "PATCH":
            if heard.path not in self.sessions:
                return 404, 2000
            kept = self.sessions[heard.path]
            self.sessions[heard.path] = {**kept, **heard.body}
            self.sessions[heard.path]["charging_periods"] = kept["charging_periods"] + heard.body["charging_periods"]
        return 200, 1000

    def results(self) -> list[tuple[str, str]]:
        return [(heard.path, heard.body["result"]) for heard in self.heard if heard.method == "POST"]

    def pushes(self) -> list[str]:
        return [heard.method for heard in self.heard if heard.method != "POST"]

    def ended(self) -> list[dict[str, Any]]:
        return [session for session in list(self.sessions.values()) if session["status"] == "COMPLETED"]


class Receiver(BaseHTTPRequestHandler):
    server: Gateway

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])), parse_float=Decimal)
        headers = {name.lower(): value for name, value in self.headers.items()}
        http, code = self.server.answer(Heard(self.command, self.path, headers, body))
        self.send_response(http)
        self.end_headers()
        self.wfile.write(json.dumps({"status_code": code, "timestamp": "2026-05-04T03:02:01Z"}).encode())

    do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - as the library calls them

    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def serving(port: int = 0) -> Iterator[Gateway]:
    with Gateway(port) as gateway:
        thread = threading.Thread(target=gateway.serve_forever, args=(0.01,))
        thread.start()
        yield gateway
        gateway.shutdown()
        thread.join()


class ChargePoints:
    """The process, and what one would ask of it."""

    def __init__(self, gateway_port: int, log: Path, *options: str) -> None:
        self.gateway = f"http://127.0.0.1:{gateway_port}"
        self.log = log
        argv = [sys.executable, "-m", "simulators.charge_points", "--bind", "127.0.0.1:0", "--gateway", self.gateway]
        environment = {**os.environ, "CPSIM_TOKEN": "ours", "CPSIM_COMMANDS_TOKEN": "theirs"}
        with log.open("wb") as err:
            self.process = subprocess.Popen([*argv, *options], cwd=ROOT, stderr=err, env=environment)
        until(lambda: self.events("listening"))
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{self.events('listening')[0]['port']}", trust_env=False)
        self.http.headers["Authorization"] = f"Token {base64.b64encode(b'theirs').decode()}"

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == name]

    def start(self, evse: str, **changed: object) -> dict[str, Any]:
        order: dict[str, object] = {"response_url": f"{self.gateway}/result/{evse}", "token": TOKEN}
        order |= {"location_id": "LOC1", "evse_uid": evse, "connector_id": "2", "authorization_reference": "AUTH-1"}
        return self.command("START_SESSION", order | changed)

    def stop(self, session_id: str, result: str = "") -> dict[str, Any]:
        url = f"{self.gateway}/{result or session_id}"
        return self.command("STOP_SESSION", {"response_url": url, "session_id": session_id})

    def command(self, name: str, order: object) -> dict[str, Any]:
        answer = self.http.post(f"{COMMANDS}/{name}", json=order)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        assert body["timestamp"].endswith("Z")
        return body

    def sessions(self, evse: str = "") -> list[dict[str, Any]]:
        """Those at one EVSE, or all."""
        listed = self.http.get("/admin/sessions").json()["sessions"]
        return [session for session in listed if evse in {"", session["evse_uid"]}]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.http.close()
        self.process.send_signal(how)
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()


def until(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + DUE_SECONDS
    while not seen():
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(gateway_port: int, log: Path, *options: str) -> Iterator[ChargePoints]:
    station = ChargePoints(gateway_port, log, "--interval", "0.05", *options)
    try:
        yield station
    finally:
        assert station.end() == 0
    assert "Traceback" not in log.read_text()
