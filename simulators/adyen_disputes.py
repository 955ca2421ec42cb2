"""Cardholders against payments: what schemes may say, and Adyen's Disputes API (v30) to answer them.

Whoever begins a dispute, and what it comes to, is ordered at the desk; the API and the passing of time do the rest.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.routing import Mount

from simulators.adyen_api import Api, Work
from simulators.adyen_bank import new_reference
from simulators.adyen_books import Books, Clock
from simulators.adyen_courier import Courier
from simulators.adyen_records import Dispute, Movement, Payment
from simulators.adyen_requests import ApiError, Call
from simulators.adyen_webhooks import Notice, written

DEFENCE_SECONDS = 18 * 24 * 3600
_FIRST = {"REQUEST_FOR_INFORMATION", "NOTIFICATION_OF_FRAUD", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK"}
_ENDED = "DISPUTE_DEFENSE_PERIOD_ENDED"
_ARBITRATION = {"PREARBITRATION_OPEN", "PREARBITRATION_WON", "PREARBITRATION_LOST", "SECOND_CHARGEBACK"}
NEXT: dict[str, set[str]] = {
    "REQUEST_FOR_INFORMATION": {"INFORMATION_SUPPLIED", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK"},
    "NOTIFICATION_OF_FRAUD": set(),
    "NOTIFICATION_OF_CHARGEBACK": {"CHARGEBACK", "INFORMATION_SUPPLIED", "ISSUER_COMMENTS", _ENDED},
    "ISSUER_COMMENTS": {"CHARGEBACK", "INFORMATION_SUPPLIED", "CHARGEBACK_REVERSED", _ENDED},
    "CHARGEBACK": {"INFORMATION_SUPPLIED", "CHARGEBACK_REVERSED", "ISSUER_COMMENTS", _ENDED},
    "INFORMATION_SUPPLIED": {"CHARGEBACK", "CHARGEBACK_REVERSED", "ISSUER_RESPONSE_TIMEFRAME_EXPIRED", _ENDED},
    "CHARGEBACK_REVERSED": {"ISSUER_RESPONSE_TIMEFRAME_EXPIRED"} | _ARBITRATION,
    "PREARBITRATION_OPEN": {
        "PREARBITRATION_ACCEPTED",
        "PREARBITRATION_DECLINED",
        "PREARBITRATION_ISSUER_WITHDRAWN",
        "PREARBITRATION_WON",
        "PREARBITRATION_LOST",
    },
    "PREARBITRATION_ACCEPTED": {"SECOND_CHARGEBACK"},
    "PREARBITRATION_DECLINED": {"SCHEME_ARBITRATION", "PREARBITRATION_WON", "PREARBITRATION_LOST"},
    "PREARBITRATION_ISSUER_WITHDRAWN": {"PREARBITRATION_WON"},
    "PREARBITRATION_LOST": {"SECOND_CHARGEBACK", "SCHEME_ARBITRATION"},
    "SCHEME_ARBITRATION": {"SCHEME_ARBITRATION_WON", "SCHEME_ARBITRATION_LOST", "SECOND_CHARGEBACK"},
    "SECOND_CHARGEBACK": {"SCHEME_ARBITRATION"},
}
"""What may follow on what; whatever is not named is the end."""
_LOSES = {"CHARGEBACK": "Chargeback", "SECOND_CHARGEBACK": "SecondChargeback"}
_WINS = {
    "CHARGEBACK_REVERSED",
    "PREARBITRATION_WON",
    "SCHEME_ARBITRATION_WON",
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED",
}
_STATUS = {"INFORMATION_SUPPLIED": "Pending", _ENDED: "Lost"} | dict.fromkeys(_WINS, "Won")
_REASONS = {
    "SupplyDefenseMaterial": {"DefenseMaterial": "Required", "TIDorInvoice": "Optional"},
    "ServicesProvided": {"ProofOfServices": "Required", "TIDorInvoice": "Optional"},
    "CreditAlreadyProcessed": {"ProofOfRefund": "OneOrMore", "RefundReference": "OneOrMore"},
}
_LARGEST = {"application/pdf": 2_000_000, "image/jpeg": 10_000_000, "image/tiff": 10_000_000}


class BadMove(ValueError):
    """Not what may follow."""


class Disputes:
    """Begins them, moves them on, and hears the defence."""

    def __init__(self, books: Books, courier: Courier, clock: Clock) -> None:
        self._books, self._courier, self._clock = books, courier, clock

    def routes(self, api: Api) -> Mount:
        """The API, below its version."""
        calls: dict[str, Work] = {
            "retrieveApplicableDefenseReasons": self._retrieve,
            "supplyDefenseDocument": self._supply,
            "deleteDisputeDefenseDocument": self._delete,
            "defendDispute": self._defend,
            "acceptDispute": self._accept,
        }
        routes = [api.route(f"/{name}", work) for name, work in calls.items()]
        return Mount("/ca/services/DisputeService/v{version:int}", routes=routes)

    def begin(self, payment: Payment, event: str, amount_minor: int | None, reason_code: str) -> Dispute:
        """A cardholder complains, for all that was captured or for this much. Raises BadMove."""
        if event not in _FIRST or not payment.captured_minor:
            raise BadMove(f"nobody begins with {event}, on {payment.status}")
        asked_minor = payment.captured_minor if amount_minor is None else amount_minor
        dispute = Dispute(
            id=new_reference(),
            due=None,
            payment_id=payment.id,
            base_minor=min(asked_minor, payment.captured_minor),
            amount_minor=asked_minor,
            currency=payment.currency,
            scheme=payment.method.partition("_")[0],
            reason_code=reason_code,
            event=event,
            defence_ends_at=self._clock() + DEFENCE_SECONDS,
        )
        if event != "NOTIFICATION_OF_FRAUD":
            dispute.due = dispute.defence_ends_at
        self._tell(dispute, payment, event)
        return dispute

    def advance(self, dispute: Dispute, event: str, amount_minor: int | None = None) -> Dispute:
        """It goes on; a second chargeback may be for more than the first. Raises BadMove."""
        if event not in NEXT.get(dispute.event, ()):
            raise BadMove(f"{event} does not follow on {dispute.event}")
        payment = self._books.get(Payment, dispute.payment_id)
        assert payment is not None
        dispute.event = event
        dispute.amount_minor = dispute.amount_minor if amount_minor is None else amount_minor
        self._tell(dispute, payment, event)
        return dispute

    def end_what_is_due(self) -> None:
        """Nobody has defended in time."""
        for dispute in self._books.due(Dispute, self._clock()):
            dispute.due = None
            self._books.put(dispute)
            if _ENDED in NEXT.get(dispute.event, ()) and not dispute.defended_with:
                self.advance(dispute, _ENDED)

    def _tell(self, dispute: Dispute, payment: Payment, event: str, status: str = "") -> None:
        self._move(dispute, payment, event)
        self._books.put(dispute)
        extra = {"chargebackReasonCode": dispute.reason_code, "chargebackSchemeCode": dispute.scheme}
        if event in _FIRST:
            extra |= {"defensePeriodEndsAt": written(dispute.defence_ends_at), "defendable": "true"}
        if said := status or _STATUS.get(event, ""):
            extra["disputeStatus"] = said
        notice = Notice(
            event_code=event,
            success=True,
            psp_reference=dispute.id,
            original_reference=payment.id,
            reference=payment.reference,
            amount_minor=dispute.amount_minor,
            currency=dispute.currency,
            method=payment.method,
            reason="Other Fraud-Card Absent Environment" if dispute.scheme == "visa" else "Cardholder Dispute",
            extra=extra,
            about=payment.reference,
        )
        self._courier.tell(notice)

    def _move(self, dispute: Dispute, payment: Payment, event: str) -> None:
        """The money follows: the base is lost once, whatever was said before; what is asked beyond it are fees."""
        if event not in _LOSES and event not in _WINS:
            return
        gone = event in _LOSES
        lost_minor = dispute.base_minor if gone else 0
        fees_minor = max(0, dispute.amount_minor - dispute.base_minor) if gone else 0
        change_minor = lost_minor + fees_minor - dispute.lost_minor - dispute.fees_minor
        payment.charged_back_minor += lost_minor - dispute.lost_minor
        dispute.lost_minor, dispute.fees_minor = lost_minor, fees_minor
        self._books.put(payment)
        if change_minor:
            kind = _LOSES.get(event, "ChargebackReversed")
            amount_minor, at = abs(change_minor), self._clock()
            made = (kind, payment.id, dispute.id, amount_minor, payment.currency, at)
            self._books.put(Movement(new_reference(), None, *made))

    def _retrieve(self, call: Call) -> tuple[int, dict[str, Any]]:
        dispute = self._dispute(call)
        if isinstance(dispute, str):
            return _result(dispute)
        reasons = [
            {
                "defenseDocumentTypes": [
                    {"available": code in dispute.documents, "defenseDocumentTypeCode": code, "requirementLevel": level}
                    for code, level in documents.items()
                ],
                "defenseReasonCode": reason,
                "satisfied": _satisfied(documents, dispute.documents),
            }
            for reason, documents in _REASONS.items()
        ]
        return 200, {"defenseReasons": reasons, "disputeServiceResult": {"success": True}}

    def _supply(self, call: Call) -> tuple[int, dict[str, Any]]:
        dispute = self._dispute(call)
        if isinstance(dispute, str):
            return _result(dispute)
        given = call.body.get("defenseDocuments")
        if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
            raise ApiError(422, "702", "Required field 'defenseDocuments' is not provided")
        known = {code for documents in _REASONS.values() for code in documents}
        for document in given:
            code, kind = str(document.get("defenseDocumentTypeCode")), str(document.get("contentType"))
            if code not in known or kind not in _LARGEST:
                return _result("Defense document type is not supported.")
            try:
                size = len(base64.b64decode(str(document.get("content")), validate=True))
            except binascii.Error:
                return _result("Defense document is not base64.")
            if not 0 < size <= _LARGEST[kind]:
                return _result("Defense document is empty or too large.")
            dispute.documents[code] = kind
        self._books.put(dispute)
        return _result()

    def _delete(self, call: Call) -> tuple[int, dict[str, Any]]:
        dispute = self._dispute(call)
        if isinstance(dispute, str):
            return _result(dispute)
        if dispute.documents.pop(call.text("defenseDocumentType", 80), None) is None:
            return _result("Defense document not found.")
        self._books.put(dispute)
        return _result()

    def _defend(self, call: Call) -> tuple[int, dict[str, Any]]:
        dispute = self._dispute(call)
        if isinstance(dispute, str):
            return _result(dispute)
        reason = call.text("defenseReasonCode", 80, ("702", "Required field 'defenseReasonCode' is not provided"))
        if reason not in _REASONS:
            return _result("Defense reason is not applicable.")
        if not _satisfied(_REASONS[reason], dispute.documents):
            return _result("Defense documents are missing.")
        dispute.defended_with, dispute.due = reason, None
        self.advance(dispute, "INFORMATION_SUPPLIED")
        return _result()

    def _accept(self, call: Call) -> tuple[int, dict[str, Any]]:
        dispute = self._dispute(call)
        if isinstance(dispute, str):
            return _result(dispute)
        payment = self._books.get(Payment, dispute.payment_id)
        assert payment is not None
        dispute.event, dispute.due = _ENDED, None
        self._tell(dispute, payment, _ENDED, "Accepted")
        return _result()

    def _dispute(self, call: Call) -> Dispute | str:
        """The dispute that can still be answered, or why not."""
        named = call.text("disputePspReference", 16, ("702", "Required field 'disputePspReference' is not provided"))
        dispute = self._books.get(Dispute, named)
        if dispute is None:
            return "Dispute not found."
        if dispute.defended_with or "INFORMATION_SUPPLIED" not in NEXT.get(dispute.event, ()):
            return "Dispute is not open for defense."
        return dispute if self._clock() < dispute.defence_ends_at else "Defense period has ended."


def _satisfied(documents: dict[str, str], supplied: dict[str, str]) -> bool:
    either = [code in supplied for code, level in documents.items() if level == "OneOrMore"]
    return all(code in supplied for code, level in documents.items() if level == "Required") and (
        any(either) or not either
    )


def _result(refusal: str = "") -> tuple[int, dict[str, Any]]:
    """Disputes are refused with 200: whoever asks must read."""
    said = {"errorMessage": refusal, "success": False} if refusal else {"success": True}
    return 200, {"disputeServiceResult": said}
