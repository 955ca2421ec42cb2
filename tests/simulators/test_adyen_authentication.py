"""3-D Secure 2: the shopper's bank is asked first, on a page of its own or within the merchant's."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tests.simulators.stand_in import CARD, Json, StandIn, asked, told

REDIRECTED, NATIVE = "test_4212345678901237", "test_4035501428146300"


def of_card(number: str, **more: object) -> Json:
    return {"paymentMethod": {"type": "scheme", "encryptedCardNumber": number} | more}


def finish(adyen: StandIn, details: Json, **more: object) -> httpx2.Response:
    return adyen.post("/v72/payments/details", {"details": details} | more)


def device(**said: str) -> str:
    return base64.b64encode(json.dumps(said).encode()).decode()


@pytest.mark.parametrize(("pressed", "result", "code"), [("approve", "Authorised", None), ("decline", "Refused", "11")])
def test_a_bank_asks_on_a_page_of_its_own(
    adyen: StandIn, reference: str, pressed: str, result: str, code: str | None
) -> None:
    answer = adyen.pay(reference, more=of_card(REDIRECTED))
    assert (answer["resultCode"], answer["action"]["type"], answer["action"]["method"]) == (
        "RedirectShopper",
        "redirect",
        "GET",
    )
    page = urlsplit(answer["action"]["url"]).path
    assert "10.00 EUR" in adyen.get(page).text
    assert adyen.books()["payments"] == []
    back = adyen.http.post(page, data={"outcome": pressed})
    assert adyen.http.post(page, data={"outcome": "approve"}).headers["location"] == back.headers["location"]
    names = parse_qs(urlsplit(back.headers["location"]).query)
    assert (back.status_code, names["a"]) == (303, ["1"])

    details = {"redirectResult": names["redirectResult"][0]}
    first, again = finish(adyen, details).json(), finish(adyen, details).json()
    assert first == again
    assert (first["resultCode"], first.get("refusalReasonCode")) == (result, code)
    assert first["pspReference"] == answer["pspReference"]
    (item,) = adyen.receiver.wait(reference, 1)
    assert told([item]) == [("AUTHORISATION", str(not code).lower(), 1000)]
    assert adyen.left()["EUR"] == (0 if code else 1000, 0, 0)


@pytest.mark.parametrize(("status", "result"), [("Y", "Authorised"), ("N", "Refused")])
def test_a_device_speaks_and_then_its_owner(adyen: StandIn, reference: str, status: str, result: str) -> None:
    answer = adyen.pay(reference, more=of_card(NATIVE))
    assert (answer["resultCode"], answer["action"]["subtype"]) == ("IdentifyShopper", "fingerprint")
    known = finish(adyen, {"threeDSResult": device(threeDSCompInd="Y")}, paymentData=answer["action"]["paymentData"])
    action = known.json()["action"]
    assert (known.json()["resultCode"], action["subtype"], action["type"]) == (
        "ChallengeShopper",
        "challenge",
        "threeDS2",
    )
    assert adyen.books()["payments"] == []
    end = {"threeDSResult": device(transStatus=status, authorisationToken=action["authorisationToken"])}
    first, again = finish(adyen, end).json(), finish(adyen, end).json()
    assert first == again
    assert first["resultCode"] == result
    adyen.receiver.wait(reference, 1)


def test_a_pay_page_leads_to_the_bank_and_back(adyen: StandIn, reference: str) -> None:
    session = adyen.post("/v72/sessions", asked(reference)).json()["id"]
    form = {"outcome": "approve", "number": "4212 3456 7890 1237"}
    banks = []
    for attempt, pressed in (("1", "decline"), ("2", "approve")):
        banks.append(adyen.press(session, attempt=attempt, **form).headers["location"])
        assert banks[-1].startswith("/3ds/")
        back = adyen.http.post(banks[-1], data={"outcome": pressed}).headers["location"]
        assert parse_qs(urlsplit(back).query)["sessionId"] == [session]
    assert [item["success"] for item in adyen.receiver.wait(reference, 2)] == ["false", "true"]
    assert adyen.left()["EUR"] == (1000, 0, 0)
    again = adyen.press(session, attempt="3", **form)
    last = adyen.http.post(banks[-1], data={"outcome": "decline"})
    assert again.headers["location"] == last.headers["location"]


def test_nothing_is_booked_for_a_result_that_no_bank_gave(adyen: StandIn, reference: str) -> None:
    action = adyen.pay(reference, more=of_card(REDIRECTED))["action"]
    page = urlsplit(action["url"]).path
    native = adyen.pay(reference, more=of_card(NATIVE))["action"]["paymentData"]
    for details in (
        {"redirectResult": "X6XtfGC3!made-up"},
        {"threeDSResult": "no base64"},
        {"threeDSResult": device(transStatus="Y")},
        {"redirectResult": native},
        {},
        {"redirectResult": "r" * 65_537},
    ):
        assert finish(adyen, details).status_code == 422
    assert adyen.http.post(page, data={"outcome": "perhaps"}).status_code == 400
    assert adyen.get("/3ds/AAAABBBBCCCCDDDD").status_code == 404
    assert adyen.books()["payments"] == []


def test_a_card_on_file_is_charged_without_its_owner(adyen: StandIn, reference: str) -> None:
    more = of_card(REDIRECTED) | {"shopperInteraction": "ContAuth", "recurringProcessingModel": "UnscheduledCardOnFile"}
    assert adyen.pay(reference, more=more)["resultCode"] == "Authorised"


@pytest.mark.parametrize("number", ["4111111111111112", "411111111111", "4111 1111 1111 111x"])
def test_a_number_that_is_no_card_is_refused(adyen: StandIn, reference: str, number: str) -> None:
    answer = adyen.post("/v72/payments", asked(reference) | {"paymentMethod": CARD | {"number": number}})
    assert (answer.status_code, answer.json()["errorCode"]) == (422, "101")
    session = adyen.post("/v72/sessions", asked(reference)).json()["id"]
    assert adyen.press(session, outcome="approve", number=number).status_code == 422
    assert adyen.books()["payments"] == []


def test_a_name_on_the_card_decides_on_the_page_as_well(adyen: StandIn, reference: str) -> None:
    session = adyen.post("/v72/sessions", asked(reference)).json()["id"]
    adyen.press(session, outcome="approve", number="5555 5555 5555 4444", holder="CARD_EXPIRED")
    (item,) = adyen.receiver.wait(reference, 1)
    assert (item["success"], item["paymentMethod"], item["reason"]) == ("false", "mc", "Expired Card")
