"""What becomes of a payment after it was authorised: captures, adjustments, cancels, refunds, and their failures."""

from __future__ import annotations

from simulators.adyen_bank import moved, new_reference
from simulators.adyen_books import Books, Clock
from simulators.adyen_courier import Courier
from simulators.adyen_faults import Faults
from simulators.adyen_records import Later, Modification, Movement, Payment
from simulators.adyen_webhooks import Notice

WEBHOOK_OF = {
    "captures": "CAPTURE",
    "refunds": "REFUND",
    "cancels": "CANCELLATION",
    "amountUpdates": "AUTHORISATION_ADJUSTMENT",
    "technicalCancels": "TECHNICAL_CANCEL",
    "reversals": "CANCEL_OR_REFUND",
}
MOVEMENT_OF = {"captures": "Settled", "refunds": "Refunded"}
_SHORT = "Insufficient balance on payment"
_LATER = {
    ("captures", "capture_fails_later"): "CAPTURE_FAILED",
    ("captures", "recapture"): "CAPTURE_FAILED, CAPTURE",
    ("refunds", "refund_fails_later"): "REFUND_FAILED",
    ("refunds", "refund_reversed"): "REFUNDED_REVERSED",
}


class Modifications:
    """Books them if the payment allows it, and tells what came of them."""

    def __init__(self, books: Books, courier: Courier, clock: Clock, faults: Faults) -> None:
        self._books, self._courier, self._clock, self._faults = books, courier, clock, faults

    def make(self, kind: str, payment: Payment, amount_minor: int, reference: str) -> Modification:
        """A capture, refund, cancel, amount update or reversal that was asked for."""
        does = kind
        if kind == "reversals":  # always the full amount: what is there to give back, or to let go
            does = "refunds" if payment.captured_minor else "cancels"
            amount_minor = payment.captured_minor or payment.amount_minor
        refused = self._faults.booking(payment.reference, kind, "refuse")
        reason = "As it was ordered" if refused else _objection(does, payment, amount_minor)
        made = Modification(
            new_reference(), None, does, payment.id, reference, amount_minor, payment.currency, not reason, reason
        )
        self._books.put(made)
        if not reason:
            _apply(does, payment, amount_minor)
            self._books.put(payment)
            self._note(made, payment)
        extra = {"modification.action": does.removesuffix("s")} if kind == "reversals" else {}
        self._tell(WEBHOOK_OF[kind], made, payment, by_payment=kind == "technicalCancels", extra=extra)
        return made

    def happen_what_is_due(self) -> None:
        """What was said, and turns out otherwise."""
        for later in self._books.due(Later, self._clock()):
            self._books.remove(later)
            made = self._books.get(Modification, later.about)
            payment = self._books.get(Payment, made.payment_id) if made else None
            if made and payment:
                event, _, then = later.event.partition(", ")
                self._happen(event, made, payment)
                if then:
                    self._books.put(Later(new_reference(), self._clock() + 1, then, made.id))

    def _happen(self, event: str, made: Modification, payment: Payment) -> None:
        reason = {"CAPTURE": "Transaction Recaptured", "CAPTURE_FAILED": "Capture Failed"}.get(event, "Refund Failed")
        if event == "CAPTURE":
            payment.captured_minor += made.amount_minor
            self._books.put(moved("Settled", made, self._clock()))
        elif event == "CAPTURE_FAILED":
            payment.captured_minor -= made.amount_minor
            self._unsettle(made, "DepositCorrection")
        else:
            payment.refunded_minor -= made.amount_minor
            self._unsettle(made, "RefundedReversed")
        self._books.put(payment)
        self._tell(event, made, payment, reason=reason)

    def _note(self, made: Modification, payment: Payment) -> None:
        """The money that it moved, and what will become of it."""
        if made.kind in MOVEMENT_OF:
            self._books.put(moved(MOVEMENT_OF[made.kind], made, self._clock()))
        faults = [fault for kind, fault in _LATER if kind == made.kind]
        if faults and (rule := self._faults.booking(payment.reference, made.kind, *faults)):
            event = _LATER[made.kind, rule.fault]
            self._books.put(Later(new_reference(), self._clock() + rule.number, event, made.id))

    def _unsettle(self, made: Modification, counter: str) -> None:
        """Money that did not move after all: not told at all, or told back by a movement of its own."""
        for movement in self._books.of(Movement, made.payment_id):
            if movement.modification_id == made.id:
                if movement.batch:
                    self._books.put(moved(counter, made, self._clock()))
                else:
                    self._books.remove(movement)
                return

    def _tell(
        self,
        code: str,
        made: Modification,
        payment: Payment,
        *,
        reason: str = "",
        by_payment: bool = False,
        extra: dict[str, str] | None = None,
    ) -> None:
        notice = Notice(
            event_code=code,
            success=made.success,
            psp_reference=made.id,
            original_reference=payment.id,
            reference=payment.reference if by_payment else made.reference or payment.reference,
            amount_minor=made.amount_minor,
            currency=payment.currency,
            method=payment.method,
            reason=reason or made.reason,
            extra=extra or {},
            about=payment.reference,
        )
        self._courier.tell(notice)


def _objection(kind: str, payment: Payment, amount_minor: int) -> str:
    """Why a modification is not possible; empty if it is."""
    if kind == "refunds":
        if not payment.captured_minor:
            return "Transaction hasn't been captured, refund not possible"
        return _SHORT if amount_minor > payment.captured_minor - payment.refunded_minor else ""
    if payment.status != "authorised":
        return f"Transaction is {payment.status}"
    return _SHORT if kind == "captures" and amount_minor > payment.amount_minor else ""


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
