"""Cards that shoppers left: told by token webhooks with their own signature, charged, listed, removed, forgotten."""

from __future__ import annotations

import base64
import hmac
import json

from Adyen import AdyenClient
from Adyen.services.dataProtection.data_protection_api import DataProtectionApi

from tests.simulators.stand_in import ACCOUNT, API_KEY, TOKEN_KEY, Json, StandIn, asked, serving, until

SHOPPER = {"shopperReference": "drv-2"}


def store(adyen: StandIn, reference: str, number: str = "4111 1111 1111 1111") -> str:
    """The id under which a card was stored on a pay page that charges nothing."""
    wanted = asked(reference, 0) | SHOPPER | {"storePaymentMethodMode": "enabled"}
    session = adyen.post("/v72/sessions", wanted).json()["id"]
    adyen.press(session, outcome="approve", number=number)
    extra = adyen.receiver.wait(reference, 1)[0]["additionalData"]
    found: str = extra["tokenization.storedPaymentMethodId"]
    return found


def tokens(adyen: StandIn, count: int) -> list[tuple[str, str]]:
    """What was told about tokens: type and id, each rightly signed."""
    until(lambda: len(adyen.receiver.tokens) >= count)
    told = []
    for signature, raw in adyen.receiver.tokens:
        right = base64.b64encode(hmac.digest(bytes.fromhex(TOKEN_KEY), raw, "sha256")).decode()
        body: Json = json.loads(raw)
        assert signature == right
        assert (body["environment"], body["data"]["merchantAccount"]) == ("test", ACCOUNT)
        assert body["data"]["shopperReference"] == SHOPPER["shopperReference"]
        told.append((body["type"].removeprefix("recurring.token."), body["data"]["storedPaymentMethodId"]))
    return told


def test_a_card_is_told_when_it_is_stored_again_and_removed(reference: str) -> None:
    with serving() as adyen:
        first = store(adyen, reference)
        assert store(adyen, f"{reference}-2") == first
        other = store(adyen, f"{reference}-3", "5555 5555 5555 4444")
        path = f"/v72/storedPaymentMethods/{first}?merchantAccount={ACCOUNT}&shopperReference=drv-"
        assert adyen.http.delete(path + "9").status_code == 422
        assert adyen.http.delete(path + "2").status_code == 204
        assert tokens(adyen, 4) == [
            ("created", first),
            ("alreadyExisting", first),
            ("created", other),
            ("disabled", first),
        ]
        listed = adyen.get("/v72/storedPaymentMethods?shopperReference=drv-2").json()["storedPaymentMethods"]
        assert [(one["id"], one["brand"], one["lastFour"]) for one in listed] == [(other, "mc", "4444")]


def test_a_stored_card_is_charged_by_the_merchant_and_declined_by_its_bank(adyen: StandIn, reference: str) -> None:
    method = {"paymentMethod": {"type": "scheme", "storedPaymentMethodId": store(adyen, reference)}} | SHOPPER
    mit = method | {"shopperInteraction": "ContAuth", "recurringProcessingModel": "UnscheduledCardOnFile"}
    assert adyen.pay(f"auto-{reference}", more=mit)["resultCode"] == "Authorised"
    refused = adyen.pay(f"auto-{reference}", more=mit | {"additionalData": {"RequestedTestAcquirerResponseCode": 5}})
    assert (refused["refusalReason"], refused["refusalReasonCode"]) == ("Blocked Card", "5")
    for odd in (
        {"shopperInteraction": "Sometimes"},
        {"recurringProcessingModel": "Often"},
        {"metadata": {"k": "v" * 81}},
    ):
        assert adyen.post("/v72/payments", asked(reference) | mit | odd).status_code == 422
    listed = adyen.post("/v72/paymentMethods", SHOPPER | {"countryCode": "NL", "blockedPaymentMethods": ["googlepay"]})
    assert [one["type"] for one in listed.json()["paymentMethods"]] == ["scheme", "applepay", "ideal"]
    assert len(listed.json()["storedPaymentMethods"]) == 1
    assert adyen.left("drv-2")["EUR"] == (1000, 0, 0)


def test_a_stored_card_may_ask_its_bank_while_its_owner_is_there(adyen: StandIn, reference: str) -> None:
    stored = store(adyen, reference, number="4111 1111 1111 1111")
    wanted = asked(f"{reference}-2", 0) | SHOPPER | {"storePaymentMethodMode": "enabled"}
    session = adyen.post("/v72/sessions", wanted).json()["id"]
    bank = adyen.press(session, outcome="approve", number="4212 3456 7890 1237").headers["location"]
    adyen.http.post(bank, data={"outcome": "approve"})
    asks = adyen.receiver.wait(f"{reference}-2", 1)[0]["additionalData"]["tokenization.storedPaymentMethodId"]
    present = SHOPPER | {"shopperInteraction": "ContAuth", "recurringProcessingModel": "CardOnFile"}
    absent = present | {"recurringProcessingModel": "UnscheduledCardOnFile"}
    for method, how, result in (
        (stored, present, "Authorised"),
        (asks, present, "RedirectShopper"),
        (asks, absent, "Authorised"),
    ):
        card = {"paymentMethod": {"type": "scheme", "storedPaymentMethodId": method}}
        assert adyen.pay(reference, more=card | how)["resultCode"] == result


def test_a_shopper_is_forgotten_once_their_cards_are(adyen: StandIn, reference: str) -> None:
    store(adyen, reference)
    psp = adyen.pay(reference, more=SHOPPER)["pspReference"]
    api = DataProtectionApi(client=AdyenClient(xapikey=API_KEY, platform="test", http_timeout=5))
    api.baseUrl = f"{adyen.url}/ca/services/DataProtectionService/v1"

    def erase(psp: str, *, force: bool) -> str:
        request = {"merchantAccount": ACCOUNT, "pspReference": psp, "forceErasure": force}
        result: str = api.request_subject_erasure(request).message["result"]
        return result

    assert erase("AAAABBBBCCCCDDDD", force=True) == "PAYMENT_NOT_FOUND"
    assert erase(psp, force=False) == "ACTIVE_RECURRING_TOKEN_EXISTS"
    assert [erase(psp, force=True) for _ in range(2)] == ["SUCCESS", "ALREADY_PROCESSED"]
    assert adyen.books()["stored_methods"] == []
