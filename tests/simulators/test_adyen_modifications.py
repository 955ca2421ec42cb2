"""Captures at once, later and never; adjustments told at once; reversals; what fails after it had worked."""

from __future__ import annotations

import pytest

from tests.simulators.stand_in import MANUAL, StandIn, asked, told

DAY = 24 * 3600


def test_a_capture_may_wait_for_hours(adyen: StandIn, reference: str) -> None:
    psp = adyen.pay(reference, more={"captureDelayHours": 48})["pspReference"]
    assert adyen.left()["EUR"] == (0, 0, 0)
    adyen.later(48 * 3600 + 1)
    adyen.modify(psp, "refunds", 1000)
    assert adyen.left()["EUR"] == (1000, 1000, 0)
    codes = [item["eventCode"] for item in adyen.receiver.wait(reference, 2)]
    assert codes == ["AUTHORISATION", "REFUND"]
    assert adyen.post("/v72/payments", asked(reference) | {"captureDelayHours": 673}).status_code == 422


def test_an_adjustment_with_data_is_answered_at_once(adyen: StandIn, reference: str) -> None:
    paid = adyen.pay(reference, 5000, MANUAL)
    psp, data = paid["pspReference"], paid["additionalData"]["adjustAuthorisationData"]
    granted = adyen.modify(psp, "amountUpdates", 8000, adjustAuthorisationData=data)
    assert granted["status"] == "authorised"
    assert granted["adjustAuthorisationData"] != data
    adyen.order(books=[{"fault": "refuse", "operation": "amountUpdates"}])
    refused = adyen.modify(psp, "amountUpdates", 9000, adjustAuthorisationData=granted["adjustAuthorisationData"])
    assert (refused["status"], refused["refusalReason"]) == ("refused", "As it was ordered")
    assert adyen.modify(psp, "amountUpdates", 9500)["status"] == "received"
    (payment,) = adyen.books()["payments"]
    assert payment["amount_minor"] == 8000


def test_a_reversal_gives_back_or_lets_go(adyen: StandIn, reference: str) -> None:
    for number, more in enumerate(({}, MANUAL)):
        adyen.modify(adyen.pay(f"{reference}-{number}", more=more)["pspReference"], "reversals")
        item = adyen.receiver.wait(f"{reference}-{number}", 2)[1]
        assert told([item]) == [("CANCEL_OR_REFUND", "true", 1000)]
        assert item["additionalData"]["modification.action"] == ("cancel" if more else "refund")
    assert adyen.left()["EUR"] == (1000, 1000, 0)


def test_a_capture_fails_later_and_may_come_after_all(adyen: StandIn, reference: str) -> None:
    adyen.order(books=[{"fault": "capture_fails_later:60", "times": 1}, {"fault": "recapture:60", "times": 1}])
    psp = adyen.pay(reference, more=MANUAL)["pspReference"]
    capture = adyen.modify(psp, "captures", 700)["pspReference"]
    adyen.pay(f"{reference}-auto")
    assert adyen.left()["EUR"] == (1700, 0, 0)
    adyen.later(61)
    *_, failed = adyen.receiver.wait(reference, 3)
    assert (failed["pspReference"], told([failed])) == (capture, [("CAPTURE_FAILED", "true", 700)])
    adyen.later(2)
    failed, again = adyen.receiver.wait(f"{reference}-auto", 3)[1:]
    assert told([failed, again]) == [("CAPTURE_FAILED", "true", 1000), ("CAPTURE", "true", 1000)]
    assert failed["pspReference"] == again["pspReference"]
    assert again["reason"] == "Transaction Recaptured"
    assert adyen.left()["EUR"] == (1000, 0, 0)


@pytest.mark.parametrize(
    ("fault", "event"), [("refund_fails_later", "REFUND_FAILED"), ("refund_reversed", "REFUNDED_REVERSED")]
)
def test_a_refund_comes_back(adyen: StandIn, reference: str, fault: str, event: str) -> None:
    adyen.order(books=[f"{fault}:60"])
    psp = adyen.pay(reference)["pspReference"]
    refund = adyen.modify(psp, "refunds", 400, reference=f"{reference}-r")["pspReference"]
    assert adyen.left()["EUR"] == (1000, 400, 0)
    adyen.later(61)
    first, back = adyen.receiver.wait(f"{reference}-r", 2)
    assert [(item["eventCode"], item["pspReference"]) for item in (first, back)] == [
        ("REFUND", refund),
        (event, refund),
    ]
    assert adyen.left()["EUR"] == (1000, 0, 0)


def test_a_page_is_paid_twice_a_payment_declined_and_an_authorisation_lapses_to_order(
    adyen: StandIn, reference: str
) -> None:
    adyen.order(books=[{"fault": "second_payment", "times": 1}])
    session = adyen.post("/v72/sessions", asked(reference)).json()["id"]
    adyen.press(session, outcome="approve")
    first, second = adyen.receiver.wait(reference, 2)
    assert first["success"] == second["success"] == "true"
    assert first["pspReference"] != second["pspReference"]
    adyen.order(books=[{"fault": "decline:12", "reference": f"{reference}-1"}, "expire:60"])
    assert adyen.pay(f"{reference}-1")["refusalReasonCode"] == "12"
    psp = adyen.pay(f"{reference}-2", more=MANUAL)["pspReference"]
    adyen.later(61)
    assert adyen.receiver.wait(f"{reference}-2", 2)[1]["eventCode"] == "EXPIRE"
    adyen.modify(psp, "captures", 1000)
    assert adyen.receiver.wait(f"{reference}-2", 3)[2]["success"] == "false"


def test_a_refused_payment_takes_no_modification(adyen: StandIn, reference: str) -> None:
    adyen.order(books=["decline"])
    psp = adyen.pay(reference)["pspReference"]
    for kind in ("captures", "refunds", "amountUpdates"):
        adyen.modify(psp, kind, 1000)
    adyen.modify(psp, "cancels")
    adyen.modify(psp, "reversals")
    assert [item["success"] for item in adyen.receiver.wait(reference, 6)] == ["false"] * 6
    assert adyen.post(f"/v72/payments/{psp}/captures", {"amount": {"value": 1, "currency": "SEK"}}).status_code == 422
    assert adyen.post(f"/v72/payments/{psp}/captures", {"amount": {"value": 0, "currency": "EUR"}}).status_code == 422
    assert adyen.left()["EUR"] == (0, 0, 0)


def test_an_error_of_the_acquirer_is_transient_or_final_for_its_key(adyen: StandIn, reference: str) -> None:
    body = asked(reference) | {"paymentMethod": {"type": "scheme"}}
    transient = {"additionalData": {"RequestedTestErrorResponseCode": "NO_CONNECTION_AVAILABLE"}}
    failed = adyen.post("/v72/payments", body | transient, "e1")
    assert (failed.json()["errorCode"], failed.headers["transient-error"]) == ("704", "true")
    assert adyen.post("/v72/payments", body, "e1").json()["resultCode"] == "Authorised"
    final = {"additionalData": {"RequestedTestErrorResponseCode": "IOEXCEPTION_RECEIVED"}}
    for more in (final, {}):
        failed = adyen.post("/v72/payments", body | more, "e2")
        assert (failed.status_code, failed.json()["errorCode"], "transient-error" in failed.headers) == (
            422,
            "704",
            False,
        )
    assert len(adyen.books()["payments"]) == 1
