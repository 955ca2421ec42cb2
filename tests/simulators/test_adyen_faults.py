from __future__ import annotations

import time

import httpx2
import pytest
from Adyen.util import is_valid_hmac_notification

from tests.simulators.stand_in import ACCOUNT, CARD, HMAC_KEY, Json, StandIn, asked, receiving, told, until

# --- answers ---


@pytest.mark.parametrize(
    ("fault", "status", "code", "transient"),
    [
        ("500", 500, "000", False),
        ("503_703", 503, "703", False),
        ("429", 429, "000", False),
        ("409_704", 409, "704", True),
        ("422_704_transient", 422, "704", True),
        ("422_704_final", 422, "704", False),
    ],
)
def test_a_call_fails_before_it_is_booked(
    adyen: StandIn, reference: str, fault: str, status: int, code: str, transient: bool
) -> None:
    adyen.order(answers=[{"fault": fault, "times": 2}])
    body = asked(reference) | {"paymentMethod": CARD}
    for _ in range(2):
        failed = adyen.post("/v72/payments", body, "k3")
        assert (failed.status_code, failed.json()["errorCode"]) == (status, code)
        assert (failed.headers.get("transient-error") == "true") == transient
    assert adyen.books()["payments"] == []
    assert adyen.post("/v72/payments", body, "k3").json()["resultCode"] == "Authorised"


def test_a_gateway_in_between_speaks_no_json(adyen: StandIn, reference: str) -> None:
    adyen.order(answers=["502_html"])
    failed = adyen.post("/v72/payments", asked(reference) | {"paymentMethod": CARD})
    assert (failed.status_code, failed.text[:6]) == (502, "<html>")


def test_a_call_that_was_booked_fails_and_the_key_has_the_true_answer(adyen: StandIn, reference: str) -> None:
    adyen.order(answers=[{"fault": "charge_then_500", "times": 1}, {"fault": "charge_then_drop", "times": 1}])
    body = asked(reference) | {"paymentMethod": CARD}
    assert adyen.post("/v72/payments", body, "k3").status_code == 500
    with pytest.raises(httpx2.RemoteProtocolError):
        adyen.post("/v72/payments", body, "k3")
    (booked,) = adyen.books()["payments"]
    assert adyen.post("/v72/payments", body, "k3").json()["pspReference"] == booked["id"]
    adyen.receiver.wait(reference, 1)


@pytest.mark.parametrize(("fault", "booked"), [("charge_then_hang", 1), ("hang", 0), ("drop", 0)])
def test_a_connection_hangs_or_is_cut(adyen: StandIn, reference: str, fault: str, booked: int) -> None:
    adyen.order(answers=[{"fault": fault, "times": 1}])
    body = asked(reference) | {"paymentMethod": CARD, "merchantAccount": ACCOUNT}
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadTimeout)):
        adyen.http.post("/v72/payments", json=body, headers={"Idempotency-Key": "k4"}, timeout=0.5)
    assert len(adyen.books()["payments"]) == booked
    until(lambda: adyen.post("/v72/payments", body, "k4").status_code == 200)
    assert len(adyen.books()["payments"]) == 1


def test_the_webhook_comes_before_the_answer(adyen: StandIn, reference: str) -> None:
    adyen.order(answers=["webhook_before_answer"])
    adyen.pay(reference)
    assert len(adyen.receiver.of(reference)) == 1


def test_a_rule_strikes_whom_it_names(adyen: StandIn, reference: str) -> None:
    rules = [{"fault": "500", "reference": f"{reference}-*"}, {"fault": "slow:300", "operation": "captures"}]
    adyen.order(answers=rules)
    assert adyen.pay(reference)["resultCode"] == "Authorised"
    assert adyen.post("/v72/payments", asked(f"{reference}-1") | {"paymentMethod": CARD}).status_code == 500
    psp = adyen.pay(reference, more={"additionalData": {"manualCapture": "true"}})["pspReference"]
    began = time.monotonic()
    adyen.modify(psp, "captures", 1000)
    assert time.monotonic() - began >= 0.3


def test_the_same_seed_strikes_the_same(adyen: StandIn, reference: str) -> None:
    def struck() -> list[int]:
        adyen.post("/admin/reset")
        adyen.order(seed=7, answers=[{"fault": "500", "percent": 40}])
        bodies = [asked(f"{reference}-{number}") | {"paymentMethod": CARD} for number in range(40)]
        return [number for number, body in enumerate(bodies) if adyen.post("/v72/payments", body).status_code == 500]

    assert struck() == (first := struck())
    assert 5 < len(first) < 28


@pytest.mark.parametrize(
    "order",
    [
        {"typo": 1},
        {"hold_webhooks": 1},
        {"answers": ["typo"]},
        {"answers": [{"fault": "error", "status": 200}]},
        {"deliveries": ["slow:1"]},
        {"books": [{"fault": "refuse", "percent": "1"}]},
        {"books": ["decline:x"]},
        7,
    ],
)
def test_a_fault_that_is_none_is_refused(adyen: StandIn, order: object) -> None:
    assert adyen.post("/admin/faults", order).status_code == 422


# --- deliveries ---


def test_webhooks_are_doubled_and_the_copies_may_differ(adyen: StandIn, reference: str) -> None:
    adyen.order(deliveries=[{"fault": "vary_duplicate", "times": 1}, {"fault": "duplicate:2", "operation": "CAPTURE"}])
    psp = adyen.pay(reference, more={"additionalData": {"manualCapture": "true"}})["pspReference"]
    once, twice = adyen.receiver.wait(reference, 2)
    assert once["eventDate"] != twice["eventDate"]
    assert once | {"eventDate": "", "additionalData": {}} == twice | {"eventDate": "", "additionalData": {}}
    assert is_valid_hmac_notification(twice, HMAC_KEY)
    adyen.modify(psp, "captures", 1000)
    first, *copies = adyen.receiver.wait(reference, 5)[2:]
    assert copies == [first, first]


@pytest.mark.parametrize("fault", ["bad_signature", "forged_second_item", "wrong_account", "wrong_live"])
def test_what_somebody_else_sends_comes_once_before_the_truth(adyen: StandIn, reference: str, fault: str) -> None:
    adyen.receiver.envelopes.clear()
    adyen.order(deliveries=[{"fault": fault, "times": 1}])
    adyen.pay(reference)
    until(lambda: len(adyen.receiver.envelopes) == 2)
    forged, true = adyen.receiver.envelopes
    items = [wrapped["NotificationRequestItem"] for wrapped in forged["notificationItems"]]
    signed = [is_valid_hmac_notification(item, HMAC_KEY) for item in items]
    assert signed == {"bad_signature": [False], "forged_second_item": [True, False]}.get(fault, [True])
    assert (items[0]["merchantAccountCode"] == ACCOUNT) == (fault != "wrong_account")
    assert forged["live"] == ("true" if fault == "wrong_live" else "false") != true["live"] or fault != "wrong_live"
    (item,) = (wrapped["NotificationRequestItem"] for wrapped in true["notificationItems"])
    assert is_valid_hmac_notification(item, HMAC_KEY)
    for number, hold in enumerate((False, True), 1):  # flushed or not: nobody repeats a forgery
        adyen.receiver.refusing = 1
        adyen.order(hold_webhooks=hold, deliveries=[{"fault": fault, "times": 1}])
        adyen.pay(f"{reference}-{number}")
        if hold:
            adyen.post("/admin/deliveries/flush")
        adyen.receiver.wait(f"{reference}-{number}", 1)
        assert adyen.books()["deliveries"]["lost"] == number


def test_an_item_is_changed_signed_with_the_key_before_or_lost(adyen: StandIn, reference: str) -> None:
    with receiving() as receiver, StandIn(receiver, "--hmac-key-previous", "beef" * 16) as own:
        own.order(deliveries=["old_key"])
        own.pay(reference)
        assert is_valid_hmac_notification(receiver.wait(reference, 1)[0], "beef" * 16)
    rules = ["no_original_reference", {"fault": "drop", "operation": "CAPTURE"}]
    adyen.order(deliveries=rules)
    psp = adyen.pay(reference, more={"additionalData": {"manualCapture": "true"}})["pspReference"]
    adyen.modify(psp, "captures", 1000)
    adyen.modify(psp, "refunds", 1000)
    granted, refund = adyen.receiver.wait(reference, 2)
    assert (granted["eventCode"], refund["eventCode"], "originalReference" in refund) == (
        "AUTHORISATION",
        "REFUND",
        False,
    )
    assert adyen.books()["deliveries"]["lost"] == 1


def test_webhooks_come_late_out_of_line_and_in_batches(adyen: StandIn, reference: str) -> None:
    rules: list[Json] = [
        {"fault": "delay:60", "reference": f"{reference}-1"},
        {"fault": "withhold", "reference": f"{reference}-2"},
        {"fault": "shuffle", "reference": f"{reference}-3"},
    ]
    adyen.order(deliveries=rules)
    for number in range(5):
        adyen.pay(f"{reference}-{number}")
    for number in (0, 4, 3):
        adyen.receiver.wait(f"{reference}-{number}", 1)
    adyen.later(61)
    adyen.receiver.wait(f"{reference}-1", 1)
    assert adyen.receiver.of(f"{reference}-2") == []
    assert adyen.post("/admin/deliveries/flush").json() == {"released": 1}
    adyen.receiver.wait(f"{reference}-2", 1)
    adyen.receiver.envelopes.clear()
    adyen.order(deliveries=["batch:3"])
    for number in range(4):
        adyen.pay(f"{reference}-b", number)
    adyen.receiver.wait(f"{reference}-b", 3)
    assert adyen.post("/admin/deliveries/flush").status_code == 200
    adyen.receiver.wait(f"{reference}-b", 4)
    assert [len(envelope["notificationItems"]) for envelope in adyen.receiver.envelopes] == [3, 1]


def test_held_webhooks_go_when_they_are_flushed_the_latest_first_if_so_ordered(adyen: StandIn, reference: str) -> None:
    adyen.post("/admin/faults", [{"hold_webhooks": True}, {"out_of_order": True}])
    for value in (1, 2, 3):
        adyen.pay(reference, value)
    assert adyen.books()["deliveries"]["waiting"] == 3
    assert adyen.receiver.of(reference) == []
    assert adyen.post("/admin/deliveries/flush").json() == {"released": 3}
    assert [value for _, _, value in told(adyen.receiver.wait(reference, 3))] == [3, 2, 1]
