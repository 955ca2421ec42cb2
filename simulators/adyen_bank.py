"""The stand-in's rules: what a payment, a modification or the passing of time does to the books.

Every verb is called within a transaction of the books, and tells the merchant by webhook what it did. Authorisations
are captured at once, and silently, unless the request asks for a manual capture.
"""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass

from simulators.adyen_books import Books, Kind, Modification, Offset, Payment, Session, StoredMethod
from simulators.adyen_webhooks import Courier, Notice

AUTHORISATION_LASTS_SECONDS = 7 * 24 * 3600

WEBHOOK_OF = {
    "captures": "CAPTURE",
    "refunds": "REFUND",
    "cancels": "CANCELLATION",
    "amountUpdates": "AUTHORISATION_ADJUSTMENT",
    "technicalCancels": "TECHNICAL_CANCEL",
}
_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Outcome:
    """What the card's bank says."""

    result_code: str = "Authorised"
    refusal_code: str = ""
    refusal_reason: str = ""


@dataclass(frozen=True)
class Wish:
    """A payment that is asked for. `method` is a brand, as webhooks name it: visa, visa_applepay, visa_googlepay."""

    reference: str
    amount_minor: int
    currency: str
    shopper_reference: str = ""
    manual: bool = False
    stores: bool = False
    method: str = "visa"
    session_id: str = ""
    stored_method_id: str = ""


def new_reference() -> str:
    """A pspReference: sixteen capital letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(16))


class Clock:
    """The stand-in's time in seconds since 1970; it can be put forward, and the books remember by how much."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self.restore()

    def __call__(self) -> float:
        """The present instant."""
        return time.time() + self._ahead

    def restore(self) -> None:
        """Go as the books say."""
        kept = self._books.get(Offset, "clock")
        self._ahead = kept.seconds if kept else 0.0

    def advance(self, seconds: float) -> None:
        """Put it forward."""
        self._ahead += seconds
        self._books.put(Offset("clock", None, self._ahead))


class Bank:
    """Takes payments and modifies them."""

    def __init__(self, books: Books, courier: Courier, clock: Clock) -> None:
        self._books, self._courier, self._clock = books, courier, clock

    def pay(self, wish: Wish, outcome: Outcome) -> Payment:
        """Book a try to pay, and tell it."""
        granted = outcome.result_code == "Authorised"
        status = ("authorised" if wish.manual else "captured") if granted else "refused"
        payment = Payment(
            id=new_reference(),
            due=self._clock() + AUTHORISATION_LASTS_SECONDS if status == "authorised" else None,
            reference=wish.reference,
            amount_minor=wish.amount_minor,
            currency=wish.currency,
            status=status,
            result_code=outcome.result_code,
            refusal_code=outcome.refusal_code,
            refusal_reason=outcome.refusal_reason,
            method=wish.method,
            shopper_reference=wish.shopper_reference,
            session_id=wish.session_id,
            captured_minor=wish.amount_minor if status == "captured" else 0,
        )
        self._books.put(payment)
        extra = self._card(wish) | (self._token(wish) if granted else {})
        self._tell("AUTHORISATION", payment, success=granted, reason=outcome.refusal_reason, extra=extra)
        return payment

    def pay_session(self, session: Session, wish: Wish, outcome: Outcome) -> str:
        """Book the outcome of a pay page; the new `sessionResult`."""
        payment = self.pay(wish, outcome)
        session.attempts += 1
        session.status = "completed" if payment.status != "refused" else "refused"
        session.due = None if session.status == "completed" else session.due
        result = secrets.token_urlsafe(24)
        session.results[result] = session.status
        self._books.put(session)
        return result

    def modify(self, kind: str, payment: Payment, amount_minor: int, reference: str) -> Modification:
        """Book a capture, refund, cancel or amount update, if the payment allows it, and tell what came of it."""
        reason = _objection(kind, payment, amount_minor)
        made = Modification(
            new_reference(), None, kind, payment.id, reference, amount_minor, payment.currency, not reason, reason
        )
        if not reason:
            _apply(kind, payment, amount_minor)
            self._books.put(payment)
        self._books.put(made)
        self._courier.tell(
            Notice(
                event_code=WEBHOOK_OF[kind],
                success=made.success,
                psp_reference=made.id,
                original_reference=payment.id,
                reference=payment.reference if kind == "technicalCancels" else reference or payment.reference,
                amount_minor=amount_minor,
                currency=payment.currency,
                method=payment.method,
                reason=reason,
            )
        )
        return made

    def expire_what_is_due(self) -> None:
        """Close the Checkout sessions and drop the authorisations whose time has come."""
        for session in self._due(Session):
            session.status, session.due = "expired", None
            self._books.put(session)
            self._courier.tell(
                Notice(
                    event_code="OFFER_CLOSED",
                    success=True,
                    psp_reference=session.psp_reference,
                    reference=session.reference,
                    amount_minor=session.amount_minor,
                    currency=session.currency,
                )
            )
        for payment in self._due(Payment):
            payment.status, payment.due = "expired", None
            self._books.put(payment)
            self._tell("EXPIRE", payment, success=True, reason="", extra={})

    def _due(self, kind: type[Kind]) -> list[Kind]:
        return self._books.due(kind, self._clock())

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

    def _card(self, wish: Wish) -> dict[str, str]:
        named = {"shopperReference": wish.shopper_reference, "checkoutSessionId": wish.session_id}
        return {"cardSummary": "1111", "expiryDate": "03/2030"} | {
            name: value for name, value in named.items() if value
        }

    def _token(self, wish: Wish) -> dict[str, str]:
        """Leave the card with us, if that was asked for; in the words of the webhook."""
        if not (wish.stores and wish.shopper_reference) and not wish.stored_method_id:
            return {}
        stored = self._books.get(StoredMethod, wish.stored_method_id)
        known = stored is not None
        if stored is None:
            stored = StoredMethod(new_reference(), None, wish.shopper_reference, wish.method)
            self._books.put(stored)
        return {
            "tokenization.shopperReference": stored.shopper_reference,
            "tokenization.storedPaymentMethodId": stored.id,
            "tokenization.store.operationType": "alreadyExisting" if known else "created",
        }


def _objection(kind: str, payment: Payment, amount_minor: int) -> str:
    """Why a modification is not possible; empty if it is."""
    rest_minor = payment.captured_minor - payment.refunded_minor
    if kind == "refunds":
        if not payment.captured_minor:
            return "Transaction hasn't been captured, refund not possible"
        return "Insufficient balance on payment" if amount_minor > rest_minor else ""
    if payment.status != "authorised":
        return f"Transaction is {payment.status}"
    too_much = kind == "captures" and amount_minor > payment.amount_minor
    return "Insufficient balance on payment" if too_much else ""


def _apply(kind: str, payment: Payment, amount_minor: int) -> None:
    """Do what was asked for. What a partial capture leaves over is cancelled."""
    match kind:
        case "captures":
            payment.status, payment.captured_minor, payment.due = "captured", amount_minor, None
        case "refunds":
            payment.refunded_minor += amount_minor
        case "amountUpdates":
            payment.amount_minor = amount_minor
        case _:
            payment.status, payment.due = "cancelled", None
