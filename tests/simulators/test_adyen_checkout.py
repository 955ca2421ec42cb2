from __future__ import annotations

import re
import uuid
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from Adyen import AdyenClient
from Adyen.exceptions import AdyenAPIUnprocessableEntity
from Adyen.services.checkout import AdyenCheckoutApi
from Adyen.util import is_valid_hmac_notification

from tests.simulators.stand_in import ACCOUNT, API_KEY, CARD, HMAC_KEY, Json, StandIn, asked, told


@pytest.fixture
def sdk(adyen: StandIn) -> AdyenCheckoutApi:
    checkout = AdyenCheckoutApi(client=AdyenClient(xapikey=API_KEY, platform="test", http_timeout=5))
    for api in (checkout.payments_api, checkout.modifications_api, checkout.recurring_api):
        api.baseUrl = f"{adyen.url}/v72"
    return checkout


# --- Checkout sessions ---


def test_a_session_is_opened_by_the_sdk_paid_on_the_page_and_told(
    adyen: StandIn, sdk: AdyenCheckoutApi, reference: str
) -> None:
    request = asked(reference) | {"merchantAccount": ACCOUNT, "mode": "hosted", "shopperReference": "drv-1"}
    opened = sdk.payments_api.sessions(request, idempotency_key=str(uuid.uuid4()))
    assert opened.status_code == 201
    session = opened.message
    assert session["url"] == f"{adyen.url}/pay/{session['id']}"
    assert session["sessionData"]
    page = adyen.get(urlsplit(session["url"]).path)
    assert "10.00 EUR" in page.text
    assert page.text.count("<button") == 2

    paid = adyen.press(session["id"], outcome="approve", method="applepay")
    back = urlsplit(paid.headers["location"])
    assert (paid.status_code, back.netloc, back.fragment) == (303, "app.example", "x")
    names = parse_qs(back.query)
    assert (names["a"], names["sessionId"]) == (["1"], [session["id"]])
    again = adyen.press(session["id"], outcome="decline")
    assert (again.status_code, again.headers["location"]) == (303, paid.headers["location"])

    (item,) = adyen.receiver.wait(reference, 1)
    assert is_valid_hmac_notification(item, HMAC_KEY)
    assert told([item]) == [("AUTHORISATION", "true", 1000)]
    assert (item["merchantAccountCode"], item["paymentMethod"]) == (ACCOUNT, "visa_applepay")
    result = {"sessionResult": names["sessionResult"][0]}
    answer = sdk.payments_api.get_result_of_payment_session(session["id"], query_parameters=result)
    assert answer.message["status"] == "completed"
    assert adyen.left() == {"EUR": (1000, 0, 0)}
    assert adyen.books()["shoppers"]["drv-1"] == adyen.books()["totals"]


def test_a_session_is_paid_after_a_refusal_and_each_result_keeps_its_word(adyen: StandIn, reference: str) -> None:
    session = adyen.post("/v72/sessions", asked(reference)).json()["id"]
    path = f"/v72/sessions/{session}"
    assert adyen.get(path).json()["status"] == "active"
    locations = [
        adyen.press(session, outcome=outcome, attempt=attempt).headers["location"]
        for outcome, attempt in (("decline", "1"), ("approve", "1"), ("approve", "2"), ("decline", "3"))
    ]
    assert locations[0] == locations[1]
    assert locations[2] == locations[3]
    results = [parse_qs(urlsplit(location).query)["sessionResult"][0] for location in (locations[0], locations[2])]
    statuses = [adyen.http.get(path, params={"sessionResult": result}).json()["status"] for result in results]
    assert statuses == ["refused", "completed"]
    assert adyen.get(f"{path}?sessionResult=other").status_code == 422
    assert [item["success"] for item in adyen.receiver.wait(reference, 2)] == ["false", "true"]


def test_a_session_ends_when_its_hour_is_over(adyen: StandIn, reference: str) -> None:
    session = adyen.post("/v72/sessions", asked(reference)).json()["id"]
    adyen.post("/admin/clock/advance", {"seconds": 3601})
    assert adyen.get(f"/pay/{session}").status_code == 410
    assert adyen.press(session, outcome="approve").status_code == 410
    assert adyen.press("CS0", outcome="approve").status_code == 404
    assert adyen.get(f"/v72/sessions/{session}").json()["status"] == "expired"
    assert told(adyen.receiver.wait(reference, 1)) == [("OFFER_CLOSED", "true", 1000)]
    assert adyen.books()["payments"] == []


# --- payments and what becomes of them ---


@pytest.mark.parametrize(
    ("trigger", "result"),
    [
        ({"paymentMethod": CARD | {"holderName": "DECLINED"}}, ("Refused", "2")),
        ({"paymentMethod": CARD | {"holderName": "CARD_EXPIRED"}}, ("Refused", "6")),
        ({"additionalData": {"RequestedTestAcquirerResponseCode": 4}}, ("Error", "4")),
        ({"paymentMethod": CARD | {"holderName": "John Smith"}}, ("Authorised", None)),
    ],
)
def test_test_triggers_decide_the_outcome(adyen: StandIn, reference: str, trigger: Json, result: object) -> None:
    answer = adyen.pay(reference, more=trigger)
    assert (answer["resultCode"], answer.get("refusalReasonCode")) == result
    (item,) = adyen.receiver.wait(reference, 1)
    assert re.fullmatch("[A-Z0-9]{16}", answer["pspReference"])
    assert item["pspReference"] == answer["pspReference"]
    assert item["success"] == str(answer["resultCode"] == "Authorised").lower()


def test_a_preauthorisation_is_raised_captured_and_refunded_within_its_bounds(
    adyen: StandIn, sdk: AdyenCheckoutApi, reference: str
) -> None:
    psp = adyen.pay(reference, 5000, {"additionalData": {"authorisationType": "PreAuth"}})["pspReference"]
    steps = (
        (sdk.modifications_api.refund_captured_payment, 100),
        (sdk.modifications_api.update_authorised_amount, 8000),
        (sdk.modifications_api.capture_authorised_payment, 8001),
        (sdk.modifications_api.capture_authorised_payment, 6000),
        (sdk.modifications_api.update_authorised_amount, 9000),
        (sdk.modifications_api.refund_captured_payment, 5000),
        (sdk.modifications_api.refund_captured_payment, 1001),
    )
    answers = []
    for verb, value in steps:
        request = {"merchantAccount": ACCOUNT, "amount": {"value": value, "currency": "EUR"}}
        answers.append(verb(request, psp))
    assert {(answer.status_code, answer.message["status"]) for answer in answers} == {(201, "received")}
    assert {answer.message["paymentPspReference"] for answer in answers} == {psp}
    first, *items = adyen.receiver.wait(reference, 8)
    assert told(items) == [
        ("REFUND", "false", 100),
        ("AUTHORISATION_ADJUSTMENT", "true", 8000),
        ("CAPTURE", "false", 8001),
        ("CAPTURE", "true", 6000),
        ("AUTHORISATION_ADJUSTMENT", "false", 9000),
        ("REFUND", "true", 5000),
        ("REFUND", "false", 1001),
    ]
    assert [item["pspReference"] for item in items] == [answer.message["pspReference"] for answer in answers]
    assert {item["originalReference"] for item in items} == {first["pspReference"]} == {psp}
    assert all(is_valid_hmac_notification(item, HMAC_KEY) for item in items)
    assert adyen.left() == {"EUR": (6000, 5000, 0)}


def test_an_authorisation_is_cancelled_or_lapses_and_is_never_captured_then(adyen: StandIn, reference: str) -> None:
    manual = {"additionalData": {"manualCapture": "true"}}
    psp = adyen.pay(reference, more=manual)["pspReference"]
    assert adyen.post(f"/v72/payments/{psp}/cancels", {}).status_code == 201
    adyen.post(f"/v72/payments/{psp}/captures", asked("")).raise_for_status()
    adyen.pay(reference, more=manual)
    assert adyen.post("/v71/cancels", {"paymentReference": reference}).json()["paymentReference"] == reference
    adyen.pay(reference, more=manual)
    adyen.post("/admin/clock/advance", {"seconds": 8 * 24 * 3600})
    codes = [(item["eventCode"], item["success"]) for item in adyen.receiver.wait(reference, 7)]
    granted = ("AUTHORISATION", "true")
    assert codes[:3] == [granted, ("CANCELLATION", "true"), ("CAPTURE", "false")]
    assert codes[3:] == [granted, ("TECHNICAL_CANCEL", "true"), granted, ("EXPIRE", "true")]
    assert adyen.books()["totals"]["EUR"]["captured_minor"] == 0


def test_a_stored_card_can_be_charged_by_its_shopper_until_it_is_removed(
    adyen: StandIn, sdk: AdyenCheckoutApi, reference: str
) -> None:
    shopper = {"shopperReference": "drv-2"}
    stores = {"storePaymentMethodMode": "enabled"} | shopper
    session = adyen.post("/v72/sessions", asked(reference, 0) | stores).json()["id"]
    adyen.press(session, outcome="approve")
    extra = adyen.receiver.wait(reference, 1)[0]["additionalData"]
    stored = extra["tokenization.storedPaymentMethodId"]
    assert (extra["tokenization.shopperReference"], extra["tokenization.store.operationType"]) == ("drv-2", "created")
    method = {"paymentMethod": {"type": "scheme", "storedPaymentMethodId": stored}}
    assert adyen.pay(reference, more=method | shopper)["resultCode"] == "Authorised"
    query = {"merchantAccount": ACCOUNT} | shopper
    listed = sdk.recurring_api.get_tokens_for_stored_payment_details(query_parameters=query).message
    assert [one["id"] for one in listed["storedPaymentMethods"]] == [stored]
    foreign = asked(reference) | method | {"shopperReference": "drv-3"}
    assert adyen.post("/v72/payments", foreign).status_code == 422
    removed = sdk.recurring_api.delete_token_for_stored_payment_details(stored, query_parameters=query)
    assert removed.status_code == 204
    with pytest.raises(AdyenAPIUnprocessableEntity):
        sdk.payments_api.payments(asked(reference) | method | query)


# --- what is refused ---


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"merchantAccount": "Other"}, 403, "901"),
        ({"reference": None}, 422, "130"),
        ({"reference": "r" * 81}, 422, "702"),
        ({"returnUrl": ""}, 422, "14_030"),
        ({"amount": None}, 422, "100"),
        ({"amount": {"value": 10.5, "currency": "EUR"}}, 422, "137"),
        ({"amount": {"value": -1, "currency": "EUR"}}, 422, "137"),
        ({"amount": {"value": 1, "currency": "eur"}}, 422, "138"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, 422, "702"),
    ],
)
def test_bad_requests_are_refused_in_adyens_words(
    adyen: StandIn, reference: str, change: Json, status: int, code: str
) -> None:
    answer = adyen.post("/v72/sessions", asked(reference) | change)
    assert (answer.status_code, answer.json()["status"], answer.json()["errorCode"]) == (status, status, code)
    assert set(answer.json()) == {"status", "errorCode", "message", "errorType"}
    assert adyen.books()["sessions"] == []


def test_without_the_api_key_nothing_is_answered(adyen: StandIn, reference: str) -> None:
    for headers in ({}, {"X-API-Key": "wrong"}):
        answer = httpx2.post(f"{adyen.url}/v72/payments", json=asked(reference), headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["errorCode"]) == (401, "000")
    assert adyen.http.post("/v72/payments", content=b"[1").status_code == 400
    assert adyen.post("/v72/payments/AAAABBBBCCCCDDDD/captures", asked("")).json()["errorCode"] == "167"
    assert adyen.post("/v72/nothing", {}).json()["status"] == 404
    assert adyen.books()["payments"] == []
