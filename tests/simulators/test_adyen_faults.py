from __future__ import annotations

import httpx2
import pytest
from Adyen.util import is_valid_hmac_notification

from tests.simulators.stand_in import CARD, HMAC_KEY, StandIn, asked, told


def test_webhooks_are_doubled_forged_and_lost_to_order(adyen: StandIn, reference: str) -> None:
    adyen.order(duplicate_webhooks=1, vary_duplicates=True)
    adyen.pay(reference)
    once, twice = adyen.receiver.wait(reference, 2)
    assert once["eventDate"] != twice["eventDate"]
    assert once | {"eventDate": ""} == twice | {"eventDate": ""}
    adyen.order(duplicate_webhooks=0, drop_webhooks=1, bad_signature=1)
    for _ in range(3):  # the first is forged and lost, so nobody sees it
        adyen.pay(reference)
    assert all(is_valid_hmac_notification(item, HMAC_KEY) for item in adyen.receiver.wait(reference, 4))
    adyen.order(bad_signature=1)
    adyen.pay(reference)
    assert not is_valid_hmac_notification(adyen.receiver.wait(reference, 5)[-1], HMAC_KEY)
    assert adyen.books()["deliveries"]["lost"] == 1


def test_held_webhooks_go_when_they_are_flushed_the_latest_first_if_so_ordered(adyen: StandIn, reference: str) -> None:
    adyen.post("/admin/faults", [{"hold_webhooks": True}, {"out_of_order": True, "delay_seconds": 60}])
    for value in (1, 2, 3):
        adyen.pay(reference, value)
    assert adyen.books()["deliveries"]["waiting"] == 3
    assert adyen.receiver.of(reference) == []
    assert adyen.post("/admin/deliveries/flush").json() == {"released": 3}
    assert [value for _, _, value in told(adyen.receiver.wait(reference, 3))] == [3, 2, 1]


def test_a_call_fails_before_or_after_it_is_booked(adyen: StandIn, reference: str) -> None:
    body = asked(reference) | {"paymentMethod": CARD}
    adyen.order(fail_next={"path": "/payments", "status": 503, "times": 2, "transient": True})
    for _ in range(2):
        failed = adyen.post("/v72/payments", body, "k3")
        assert (failed.json()["errorCode"], failed.headers["transient-error"]) == ("703", "true")
    assert adyen.books()["payments"] == []
    adyen.order(fail_next=[{"path": "/payments", "status": 500, "after_booking": True}])
    assert adyen.post("/v72/payments", body, "k3").status_code == 500
    assert adyen.post("/v72/payments", body, "k3").json()["resultCode"] == "Authorised"
    assert len(adyen.books()["payments"]) == 1


def test_a_connection_is_cut_after_the_charge(adyen: StandIn, reference: str) -> None:
    adyen.order(drop_response=1)
    body = asked(reference) | {"paymentMethod": CARD}
    with pytest.raises(httpx2.RemoteProtocolError):
        adyen.post("/v72/payments", body, "k4")
    assert adyen.post("/v72/payments", body, "k4").json()["pspReference"] == adyen.books()["payments"][0]["id"]
    adyen.receiver.wait(reference, 1)


@pytest.mark.parametrize("order", [{"typo": 1}, {"hold_webhooks": 1}, {"fail_next": {"status": 200}}, 7])
def test_a_fault_that_is_none_is_refused(adyen: StandIn, order: object) -> None:
    assert adyen.post("/admin/faults", order).status_code == 422
