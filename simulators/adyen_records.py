"""What the Adyen stand-in remembers. A record is a dataclass with an `id`, kept as JSON.

`due` is the instant (seconds since 1970) at which it wants to be looked at again, or None. Money is in minor units,
counted as Adyen counts them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Record:
    """Whatever the books can keep."""

    id: str
    due: float | None

    def belongs_to(self) -> str:
        """What it is looked up by, if not by its `id`."""
        return ""


@dataclass
class Session(Record):
    """A Checkout session. `results` holds what each handed-out `sessionResult` says, for good."""

    psp_reference: str
    reference: str
    amount_minor: int
    currency: str
    return_url: str
    shopper_reference: str
    capture: str
    stores: bool
    methods: list[str]
    session_data: str
    expires_at: float
    status: str = "active"
    attempts: int = 0
    results: dict[str, str] = field(default_factory=dict)


@dataclass
class Payment(Record):
    """A try to pay. `status` is authorised, captured, refused, cancelled or expired.

    `capture` is "auto" (at once), "manual", or after how many hours.
    """

    reference: str
    amount_minor: int
    currency: str
    status: str
    result_code: str
    refusal_code: str
    refusal_reason: str
    method: str
    shopper_reference: str
    session_id: str
    capture: str = "auto"
    captured_minor: int = 0
    refunded_minor: int = 0
    charged_back_minor: int = 0
    erased: bool = False

    def belongs_to(self) -> str:
        """The merchant's reference."""
        return self.reference


@dataclass
class Authentication(Record):
    """A shopper whose bank wants to be sure (3-D Secure 2). Its `id` is the pspReference that the payment will have.

    `kind` is redirect, native, or the id of a Checkout session. `state` goes from waiting, natively by challenged, to
    approved or declined. `result` is what comes back from the bank.
    """

    kind: str
    wish: dict[str, Any]
    outcome: dict[str, str]
    return_url: str
    result: str
    state: str = "waiting"

    def belongs_to(self) -> str:
        """What comes back from the bank."""
        return self.result


@dataclass
class Modification(Record):
    """A capture, refund, cancel or amount update that was asked for, and whether the books allowed it."""

    kind: str
    payment_id: str
    reference: str
    amount_minor: int
    currency: str
    success: bool
    reason: str

    def belongs_to(self) -> str:
        """The payment."""
        return self.payment_id


@dataclass
class Movement(Record):
    """Money that moved, in the words of settlement reports: Settled, Refunded, Chargeback … `batch` 0: not yet told."""

    kind: str
    payment_id: str
    modification_id: str
    amount_minor: int
    currency: str
    at: float
    batch: int = 0

    def belongs_to(self) -> str:
        """The payment."""
        return self.payment_id


@dataclass
class Later(Record):
    """What will become of a modification, or of a payment, once it is due."""

    event: str
    about: str


@dataclass
class Dispute(Record):
    """A cardholder against a payment. `documents` maps the codes of what was supplied to its media type.

    `base_minor` is what of the payment is fought over; `lost_minor` and `fees_minor` are gone as things stand.
    """

    payment_id: str
    base_minor: int
    amount_minor: int
    currency: str
    scheme: str
    reason_code: str
    event: str
    defence_ends_at: float
    lost_minor: int = 0
    fees_minor: int = 0
    documents: dict[str, str] = field(default_factory=dict)
    defended_with: str = ""

    def belongs_to(self) -> str:
        """The payment."""
        return self.payment_id


@dataclass
class Report(Record):
    """A settlement detail report; its `id` is the name of the file."""

    batch: int
    csv: str


@dataclass
class StoredMethod(Record):
    """A card that a shopper left with us."""

    shopper_reference: str
    brand: str
    last_four: str = "1111"

    def belongs_to(self) -> str:
        """The shopper."""
        return self.shopper_reference


@dataclass
class Answer(Record):
    """What was answered under one idempotency key (its `id`)."""

    status: int
    body: dict[str, Any]


@dataclass
class Delivery(Record):
    """A webhook on its way. `state` is waiting, delivered or lost; `due` is the next try while it waits.

    `about` is the reference of the payment. What is sent `once` is not repeated, whatever is answered.
    """

    body: dict[str, Any]
    about: str = ""
    state: str = "waiting"
    tries: int = 0
    once: bool = False

    def belongs_to(self) -> str:
        """The reference of the payment."""
        return self.about


@dataclass
class Released(Delivery):
    """One that a flush has let go: it goes before all others, and no hold holds it."""


@dataclass
class Loose(Delivery):
    """One out of line: it waits for nobody and holds up nobody. Without `due` it is withheld until a flush."""


@dataclass
class TokenDelivery(Delivery):
    """One for the other endpoint, that of tokens, with a queue of its own."""


@dataclass
class Offset(Record):
    """How far the stand-in's clock runs ahead."""

    seconds: float
