"""The stand-in's rules: what a try to pay does to the books.

Every verb is called within a transaction of the books, and tells the merchant by webhook what it did. An authorisation
is captured at once and silently, or so many hours later, or when the merchant asks for it.
"""

from __future__ import annotations

import dataclasses
import secrets
import string
from dataclasses import dataclass

from simulators.adyen_books import Books, Clock
from simulators.adyen_cards import APPROVED, DECLINED, OUTCOMES, REFUSALS, Outcome
from simulators.adyen_courier import Courier
from simulators.adyen_faults import Faults
from simulators.adyen_records import Authentication, Later, Modification, Movement, Payment, Session, StoredMethod
from simulators.adyen_webhooks import Notice

AUTHORISATION_LASTS_SECONDS = 7 * 24 * 3600
_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Wish:
    """A payment that is asked for. `method` is a brand, as webhooks name it; `capture` is auto, manual, or hours."""

    reference: str
    amount_minor: int
    currency: str
    shopper_reference: str = ""
    capture: str = "auto"
    stores: bool = False
    method: str = "visa"
    last_four: str = "1111"
    session_id: str = ""
    stored_method_id: str = ""


def new_reference() -> str:
    """A pspReference: sixteen capital letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


class Bank:
    """Takes payments."""

    def __init__(self, books: Books, courier: Courier, clock: Clock, faults: Faults) -> None:
        self._books, self._courier, self._clock, self._faults = books, courier, clock, faults

    def pay(self, wish: Wish, outcome: Outcome, psp_reference: str = "") -> Payment:
        """Book a try to pay, and tell it."""
        if refusal := self._faults.booking(wish.reference, "payments", "decline"):
            outcome = OUTCOMES[str(refusal.number)] if str(refusal.number) in REFUSALS else DECLINED
        granted = outcome == APPROVED
        payment = Payment(
            id=psp_reference or new_reference(),
            due=self._due(wish) if granted and wish.capture != "auto" else None,
            reference=wish.reference,
            amount_minor=wish.amount_minor,
            currency=wish.currency,
            status="authorised" if granted else "refused",
            result_code=outcome.result_code,
            refusal_code=outcome.refusal_code,
            refusal_reason=outcome.refusal_reason,
            method=wish.method,
            shopper_reference=wish.shopper_reference,
            session_id=wish.session_id,
            capture=wish.capture,
        )
        extra = _card(wish) | (self._token(wish) if granted else {})
        self._books.put(payment)
        self._tell("AUTHORISATION", payment, success=granted, reason=outcome.refusal_reason, extra=extra)
        if granted and wish.capture == "auto":
            self._capture(payment)
        return payment

    def pay_session(self, session: Session, wish: Wish, outcome: Outcome, psp_reference: str = "") -> str:
        """Book the outcome of a pay page; the new `sessionResult`."""
        payment = self.pay(wish, outcome, psp_reference)
        if payment.status != "refused" and self._faults.booking(wish.reference, "payments", "second_payment"):
            self.pay(wish, outcome)
        session.attempts += 1
        session.status = "completed" if payment.status != "refused" else "refused"
        session.due = None if session.status == "completed" else session.due
        result = secrets.token_urlsafe(24)
        session.results[result] = session.status
        self._books.put(session)
        return result

    def authenticate(self, kind: str, wish: Wish, outcome: Outcome, return_url: str) -> Authentication:
        """Ask the shopper's bank first; nothing is booked before it has been answered."""
        asked = Authentication(
            id=new_reference(),
            due=None,
            kind=kind,
            wish=dataclasses.asdict(wish),
            outcome=dataclasses.asdict(outcome),
            return_url=return_url,
            result=secrets.token_urlsafe(24),
        )
        self._books.put(asked)
        return asked

    def expire_what_is_due(self) -> None:
        """Close the Checkout sessions, capture what was to be captured, drop the authorisations whose time has come."""
        for session in self._books.due(Session, self._clock()):
            session.status, session.due = "expired", None
            self._books.put(session)
            closed = Notice(
                event_code="OFFER_CLOSED",
                success=True,
                psp_reference=session.psp_reference,
                reference=session.reference,
                amount_minor=session.amount_minor,
                currency=session.currency,
            )
            self._courier.tell(closed)
        for payment in self._books.due(Payment, self._clock()):
            if payment.capture.isdecimal():
                self._capture(payment)
            else:
                self.lapse(payment)

    def lapse(self, payment: Payment) -> None:
        """An authorisation that nobody captured is over."""
        payment.status, payment.due = "expired", None
        self._books.put(payment)
        self._tell("EXPIRE", payment, success=True, reason="", extra={})

    def _capture(self, payment: Payment) -> None:
        """All of it, without a word: Adyen tells no capture that nobody asked for."""
        payment.status, payment.captured_minor, payment.due = "captured", payment.amount_minor, None
        made = Modification(
            new_reference(), None, "captures", payment.id, "", payment.amount_minor, payment.currency, success=True,
            reason="",
        )  # fmt: skip
        self._books.put(payment)
        self._books.put(made)
        if payment.amount_minor:
            self._books.put(moved("Settled", made, self._clock()))
        if rule := self._faults.booking(payment.reference, "captures", "capture_fails_later", "recapture"):
            event = "CAPTURE_FAILED" if rule.fault == "capture_fails_later" else "CAPTURE_FAILED, CAPTURE"
            self._books.put(Later(new_reference(), self._clock() + rule.number, event, made.id))

    def _due(self, wish: Wish) -> float:
        if rule := self._faults.booking(wish.reference, "payments", "expire"):
            return self._clock() + rule.number
        hours = int(wish.capture) if wish.capture.isdecimal() else 0
        return self._clock() + (hours * 3600 or AUTHORISATION_LASTS_SECONDS)

    def _tell(self, code: str, payment: Payment, *, success: bool, reason: str, extra: dict[str, str]) -> None:
        self._courier.tell(
            Notice(
                event_code=code,
                success=success,
                psp_reference=payment.id,
                reference=payment.reference,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                method=payment.method,
                reason=reason,
                extra=extra,
            )
        )

    def _token(self, wish: Wish) -> dict[str, str]:
        """Leave the card with us, if that was asked for; in the words of the webhook."""
        if not (wish.stores and wish.shopper_reference) and not wish.stored_method_id:
            return {}
        theirs = self._books.of(StoredMethod, wish.shopper_reference)
        known = [
            one
            for one in theirs
            if one.id == wish.stored_method_id
            or (not wish.stored_method_id and (one.brand, one.last_four) == (wish.method, wish.last_four))
        ]
        stored = known[0] if known else StoredMethod(
            new_reference(), None, wish.shopper_reference, wish.method, wish.last_four
        )  # fmt: skip
        operation = "alreadyExisting" if known else "created"
        self._books.put(stored)
        if not wish.stored_method_id:
            self._courier.tell_token(operation, stored)
        return {
            "tokenization.shopperReference": stored.shopper_reference,
            "tokenization.storedPaymentMethodId": stored.id,
            "tokenization.store.operationType": operation,
        }


def moved(kind: str, made: Modification, at: float) -> Movement:
    """Money that a modification moved, to be told by the next settlement report."""
    return Movement(new_reference(), None, kind, made.payment_id, made.id, made.amount_minor, made.currency, at)


def _card(wish: Wish) -> dict[str, str]:
    named = {"shopperReference": wish.shopper_reference, "checkoutSessionId": wish.session_id}
    shown = {name: value for name, value in named.items() if value}
    return {"cardSummary": wish.last_four, "expiryDate": "03/2030", "paymentMethodVariant": wish.method} | shown
