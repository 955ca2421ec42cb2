"""Cardholders complain to order; the Disputes API hears the defence; the books say who has the money."""

from __future__ import annotations

import base64

import pytest
from Adyen import AdyenClient
from Adyen.services.disputes import AdyenDisputesApi
from Adyen.util import is_valid_hmac_notification

from tests.simulators.stand_in import ACCOUNT, API_KEY, HMAC_KEY, Json, StandIn, told

DAY = 24 * 3600
PDF = {"content": base64.b64encode(b"%PDF-1.7").decode(), "contentType": "application/pdf"}


@pytest.fixture
def api(adyen: StandIn) -> AdyenDisputesApi:
    disputes = AdyenDisputesApi(client=AdyenClient(xapikey=API_KEY, platform="test", http_timeout=5))
    disputes.disputes_api.baseUrl = f"{adyen.url}/ca/services/DisputeService/v30"
    return disputes


def begin(adyen: StandIn, reference: str, event: str = "CHARGEBACK", **more: object) -> str:
    psp = adyen.pay(reference)["pspReference"]
    begun = adyen.post("/admin/disputes", {"payment": psp, "event": event} | more)
    assert begun.status_code == 201
    dispute: str = begun.json()["id"]
    return dispute


def advance(adyen: StandIn, dispute: str, *events: str, **more: object) -> None:
    for event in events:
        assert adyen.post(f"/admin/disputes/{dispute}/advance", {"event": event} | more).status_code == 200


def about(dispute: str, **more: object) -> Json:
    return {"disputePspReference": dispute, "merchantAccountCode": ACCOUNT} | more


def test_a_chargeback_is_defended_with_documents_and_won(adyen: StandIn, api: AdyenDisputesApi, reference: str) -> None:
    dispute, calls = begin(adyen, reference), api.disputes_api
    granted, item = adyen.receiver.wait(reference, 2)
    assert told([item]) == [("CHARGEBACK", "true", 1000)]
    assert (item["pspReference"], item["originalReference"]) == (dispute, granted["pspReference"])
    assert is_valid_hmac_notification(item, HMAC_KEY)
    assert item["additionalData"]["defensePeriodEndsAt"] > item["eventDate"]
    assert adyen.left()["EUR"] == (1000, 0, 1000)

    defence = about(dispute, defenseReasonCode="SupplyDefenseMaterial")
    assert calls.defend_dispute(defence).message["disputeServiceResult"]["success"] is False
    document = PDF | {"defenseDocumentTypeCode": "DefenseMaterial"}
    supplied = calls.supply_defense_document(about(dispute, defenseDocuments=[document]))
    assert supplied.message == {"disputeServiceResult": {"success": True}}
    reasons = calls.retrieve_applicable_defense_reasons(about(dispute)).message["defenseReasons"]
    satisfied = {reason["defenseReasonCode"]: reason["satisfied"] for reason in reasons}
    assert satisfied == {"SupplyDefenseMaterial": True, "ServicesProvided": False, "CreditAlreadyProcessed": False}
    assert calls.defend_dispute(defence).message["disputeServiceResult"]["success"] is True
    again = calls.defend_dispute(defence).message["disputeServiceResult"]
    assert (again["success"], again["errorMessage"]) == (False, "Dispute is not open for defense.")

    advance(adyen, dispute, "CHARGEBACK_REVERSED")
    assert adyen.left()["EUR"] == (1000, 0, 0)
    advance(adyen, dispute, "ISSUER_RESPONSE_TIMEFRAME_EXPIRED")
    codes = [item["eventCode"] for item in adyen.receiver.wait(reference, 5)][2:]
    assert codes == ["INFORMATION_SUPPLIED", "CHARGEBACK_REVERSED", "ISSUER_RESPONSE_TIMEFRAME_EXPIRED"]
    assert adyen.left()["EUR"] == (1000, 0, 0)


def test_the_same_money_is_lost_once_and_arbitration_costs_more(adyen: StandIn, reference: str) -> None:
    dispute = begin(adyen, reference, "REQUEST_FOR_INFORMATION")
    advance(adyen, dispute, "NOTIFICATION_OF_CHARGEBACK")
    assert adyen.left()["EUR"] == (1000, 0, 0)
    advance(adyen, dispute, "CHARGEBACK", "INFORMATION_SUPPLIED", "CHARGEBACK_REVERSED")
    advance(adyen, dispute, "PREARBITRATION_OPEN", "PREARBITRATION_LOST")
    assert adyen.left()["EUR"] == (1000, 0, 0)
    advance(adyen, dispute, "SECOND_CHARGEBACK", amount=1500)
    assert adyen.left()["EUR"] == (1000, 0, 1000)
    (known,) = adyen.books()["disputes"]
    assert (known["lost_minor"], known["fees_minor"]) == (1000, 500)
    moved = [(one["kind"], one["amount_minor"]) for one in adyen.books()["movements"]]
    assert moved == [
        ("Settled", 1000),
        ("Chargeback", 1000),
        ("ChargebackReversed", 1000),
        ("SecondChargeback", 1500),
    ]
    advance(adyen, dispute, "SCHEME_ARBITRATION", "SCHEME_ARBITRATION_WON")
    assert adyen.left()["EUR"] == (1000, 0, 0)
    assert adyen.post(f"/admin/disputes/{dispute}/advance", {"event": "CHARGEBACK"}).status_code == 422


def test_nobody_defends_in_time_or_the_merchant_accepts(adyen: StandIn, api: AdyenDisputesApi, reference: str) -> None:
    slept, accepted = begin(adyen, f"{reference}-1"), begin(adyen, f"{reference}-2")
    assert api.disputes_api.accept_dispute(about(accepted)).message["disputeServiceResult"]["success"] is True
    adyen.later(19 * DAY)
    ends = [adyen.receiver.wait(f"{reference}-{number}", 3)[2] for number in (1, 2)]
    assert {end["eventCode"] for end in ends} == {"DISPUTE_DEFENSE_PERIOD_ENDED"}
    assert [end["additionalData"]["disputeStatus"] for end in ends] == ["Lost", "Accepted"]
    late = api.disputes_api.defend_dispute(about(slept, defenseReasonCode="SupplyDefenseMaterial"))
    assert late.message["disputeServiceResult"]["success"] is False
    assert adyen.left()["EUR"] == (2000, 0, 2000)


@pytest.mark.parametrize(
    "document",
    [
        PDF | {"defenseDocumentTypeCode": "Poem"},
        PDF | {"defenseDocumentTypeCode": "DefenseMaterial", "contentType": "text/html"},
        PDF | {"defenseDocumentTypeCode": "DefenseMaterial", "content": "no base64"},
        PDF | {"defenseDocumentTypeCode": "DefenseMaterial", "content": ""},
        PDF | {"defenseDocumentTypeCode": "DefenseMaterial", "content": "QUFB" * 700_000},
    ],
)
def test_an_unfit_document_is_refused_with_200(
    adyen: StandIn, api: AdyenDisputesApi, reference: str, document: Json
) -> None:
    dispute = begin(adyen, reference)
    refused = api.disputes_api.supply_defense_document(about(dispute, defenseDocuments=[document]))
    assert (refused.status_code, refused.message["disputeServiceResult"]["success"]) == (200, False)
    (known,) = adyen.books()["disputes"]
    assert known["documents"] == {}


def test_a_document_is_taken_back_and_strangers_hear_nothing(
    adyen: StandIn, api: AdyenDisputesApi, reference: str
) -> None:
    dispute, calls = begin(adyen, reference), api.disputes_api
    calls.supply_defense_document(
        about(dispute, defenseDocuments=[PDF | {"defenseDocumentTypeCode": "DefenseMaterial"}])
    )
    gone = about(dispute, defenseDocumentType="DefenseMaterial")
    said = [calls.delete_dispute_defense_document(gone).message["disputeServiceResult"]["success"] for _ in range(2)]
    assert said == [True, False]
    unknown = calls.retrieve_applicable_defense_reasons(about("AAAABBBBCCCCDDDD"))
    assert unknown.message["disputeServiceResult"]["success"] is False
    path = "/ca/services/DisputeService/v30/acceptDispute"
    assert adyen.http.post(path, json=about(dispute) | {"merchantAccountCode": "Other"}).status_code == 403
    assert adyen.http.post(path, json=about(dispute), headers={"X-API-Key": "wrong"}).status_code == 401
    assert adyen.post("/admin/disputes", {"payment": "AAAABBBBCCCCDDDD"}).status_code == 422
