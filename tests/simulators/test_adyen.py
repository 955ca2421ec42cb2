"""The stand-in keeps its word: one answer a key, webhooks until they are taken, books that outlive a kill."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from Adyen.util import generate_notification_sig
from hypothesis import given
from hypothesis import strategies as st

from simulators.adyen_webhooks import signature
from tests.simulators.stand_in import CARD, HMAC_KEY, ROOT, Json, StandIn, asked, receiving, serving, told, until


def test_a_key_is_answered_once_whatever_is_asked_under_it(adyen: StandIn, reference: str) -> None:
    body = asked(reference) | {"paymentMethod": CARD}
    first, again, other = (adyen.post("/v72/payments", body | more, "k1") for more in ({}, {}, {"reference": "x"}))
    assert first.json() == again.json() == other.json()
    assert first.headers["Idempotency-Key"] == again.headers["Idempotency-Key"] == "k1"
    adyen.receiver.wait(reference, 1)
    assert len(adyen.books()["payments"]) == 1


def test_a_key_that_is_still_being_answered_is_transient(adyen: StandIn, reference: str) -> None:
    adyen.order(answers=["charge_then_slow:300"])
    body = asked(reference) | {"paymentMethod": CARD}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(adyen.post, "/v72/payments", body, "k2")
        adyen.receiver.wait(reference, 1)  # told before it is answered
        second = adyen.post("/v72/payments", body, "k2")
        assert (second.status_code, second.json()["errorCode"]) == (422, "704")
        assert second.headers["transient-error"] == "true"
        assert first.result().status_code == 200
    assert len(adyen.books()["payments"]) == 1


def test_a_refused_webhook_comes_again_and_holds_up_all_behind_it(adyen: StandIn, reference: str) -> None:
    adyen.receiver.refusing = 3
    values = [101, 102, 103]
    for value in values:
        adyen.pay(reference, value)
    assert [value for _, _, value in told(adyen.receiver.wait(reference, 3))] == values
    until(lambda: adyen.books()["deliveries"] == {"waiting": 0, "delivered": 3, "lost": 0})


def test_books_keys_and_deliveries_survive_a_kill(tmp_path: Path, reference: str) -> None:
    keep = ("--books", str(tmp_path / "adyen.sqlite3"))
    body = asked(reference) | {"paymentMethod": CARD}
    with receiving() as receiver:
        receiver.refusing = 10**9
        with StandIn(receiver, *keep) as standin:
            first = standin.post("/v72/payments", body, "k5").json()
            session = standin.post("/v72/sessions", asked(reference)).json()["id"]
            totals = standin.books()["totals"]
            standin.end(signal.SIGKILL)
        assert receiver.items == []
        receiver.refusing = 0
        with StandIn(receiver, *keep) as standin:
            receiver.wait(reference, 1)
            assert standin.post("/v72/payments", body, "k5").json() == first
            assert standin.books()["totals"] == totals
            assert standin.press(session, outcome="approve").status_code == 303


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(how: signal.Signals) -> None:
    with serving() as standin:
        assert standin.get("/healthz").json() == {"status": "ok"}
        assert standin.end(how) == 0


def test_a_taken_port_is_one_line_and_missing_options_are_named() -> None:
    words = ["--webhook-url", "http://127.0.0.1:9", "--webhook-user", "u", "--webhook-password", "p"]
    words += ["--hmac-key", HMAC_KEY, "--api-key", "k", "--merchant-account", "m"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "simulators.adyen", "--bind", bind]
        done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert bind in done.stderr
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--webhook-url" in done.stderr


@given(st.fixed_dictionaries({name: st.text() for name in ("pspReference", "originalReference", "eventCode")}))
def test_any_item_is_signed_as_the_sdk_signs_it(item: Json) -> None:
    item |= {"merchantAccountCode": "a:b", "merchantReference": "\\c", "success": "true"}
    item["amount"] = {"value": 0, "currency": "EUR"}
    assert signature(item, bytes.fromhex(HMAC_KEY)) == generate_notification_sig(item, HMAC_KEY).decode()
