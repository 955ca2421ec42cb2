"""Every refusal of the domain. A refusal is a fact the caller can act on; anything else that is raised is a bug.

DomainError
    InvalidInput             a value breaks a rule that its type alone cannot express
    NotFound                 missing or somebody else's; nobody can tell which
    StateConflict            the object has moved on: its state or revision forbids this
    IdempotencyConflict      the key was used before with another input
    AmountNotAllowed         outside what is possible here
    CurrencyMismatch         not the currency of the object
    InsufficientFunds        the wallet holds too little
    WalletFrozen             the wallet waits until its books have been looked at
    WalletClosed             the wallet was closed; nothing moves in it any more
    WalletInDebt             something is still to be paid first
    PaymentDeclined          the provider said no; final for this key
    PaymentServiceUnavailable  the provider cannot be reached; nothing was charged
    DeadlinePassed           the time for this has passed, such as that of a quote
    EvseUnavailable          the EVSE cannot be used now
    StationUnreachable       the charge point or its operator does not answer
    DisputeWindowClosed      the bill is too old to be disputed
    NothingLeftToCredit      all of it has been given back already
    SelfDecision             nobody decides a case of their own
    CardDataRefused          a text contains a card number; it was not stored
    UnknownTariff            a tariff id that nobody supplied
    TryAgain                 the store was busy or away; the same call may succeed
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from domain.money import Money


class DomainError(Exception):
    """A refusal. Its attributes are the facts; its text is fit to be shown to the caller."""


class InvalidInput(DomainError):
    """`path` names the place in the input, `reason` the rule."""

    def __init__(self, reason: str, path: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = tuple(path)


class NotFound(DomainError):
    """Missing, hidden or malformed: one answer for all three."""

    def __init__(self, what: str = "object", path: Sequence[str] = ()) -> None:
        super().__init__(f"There is no such {what}.")
        self.what = what
        self.path = tuple(path)


class StateConflict(DomainError):
    """`kind` and `id` name the object that has moved on, so that the caller can be shown how it is now."""

    def __init__(self, reason: str, kind: str, object_id: UUID) -> None:
        super().__init__(reason)
        self.kind = kind
        self.object_id = object_id


class IdempotencyConflict(DomainError):
    """`differs` names what is not as it was when the key was used first."""

    def __init__(self, differs: str = "input") -> None:
        super().__init__(f"This idempotency key was used before with another {differs}; use a new key for a new wish.")
        self.differs = differs


class AmountNotAllowed(DomainError):
    """The bounds that hold here; None is unbounded."""

    def __init__(self, least: Money | None, most: Money | None) -> None:
        low = f"at least {least}" if least is not None else ""
        high = f"at most {most}" if most is not None else ""
        super().__init__(f"The amount must be {' and '.join(filter(None, (low, high)))}.")
        self.least = least
        self.most = most


class CurrencyMismatch(DomainError):
    """The currency that the object has."""

    def __init__(self, expected: str) -> None:
        super().__init__(f"The amount must be in {expected}.")
        self.expected = expected


class InsufficientFunds(DomainError):
    """What can be spent and what is needed."""

    def __init__(self, available: Money, required: Money) -> None:
        super().__init__(f"{available} can be spent and {required} is needed; top up first.")
        self.available = available
        self.required = required


class WalletFrozen(DomainError):
    """The wallet is frozen."""

    def __init__(self) -> None:
        super().__init__("This wallet is frozen until its books have been looked at; please contact support.")


class WalletClosed(DomainError):
    """The wallet was closed."""

    def __init__(self) -> None:
        super().__init__("This wallet is closed; open another one, or contact support.")


class WalletInDebt(DomainError):
    """What is owed."""

    def __init__(self, debt: Money) -> None:
        super().__init__(f"{debt} is still to be paid; the next top-up settles it first.")
        self.debt = debt


class PaymentDeclined(DomainError):
    """The payment that was refused; the refusal is final for its idempotency key."""

    def __init__(self, payment_id: UUID, reason: str) -> None:
        super().__init__("The payment was refused; try another way to pay, with a new idempotency key.")
        self.payment_id = payment_id
        self.reason = reason


class PaymentServiceUnavailable(DomainError):
    """Nothing was charged; the same key may be tried again after `retry_after`."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("The payment provider cannot be reached; nothing was charged. Try again with the same key.")
        self.retry_after = retry_after


class DeadlinePassed(DomainError):
    """When it passed."""

    def __init__(self, deadline: datetime, what: str) -> None:
        super().__init__(f"The {what} was valid until {deadline:%Y-%m-%d %H:%M:%S} UTC; ask for a new one.")
        self.deadline = deadline
        self.what = what


class EvseUnavailable(DomainError):
    """The state of the EVSE, as in OCPI."""

    def __init__(self, status: str) -> None:
        super().__init__(f"This charge point cannot be used now: {status}.")
        self.status = status


class StationUnreachable(DomainError):
    """Nothing was started or stopped; the same key may be tried again after `retry_after`."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(
            "The charge point does not answer; nothing was started or stopped. Try again with the same key."
        )
        self.retry_after = retry_after


class DisputeWindowClosed(DomainError):
    """When the window closed."""

    def __init__(self, closed_at: datetime) -> None:
        super().__init__(f"This bill could be disputed until {closed_at:%Y-%m-%d}.")
        self.closed_at = closed_at


class NothingLeftToCredit(DomainError):
    """All of the bill has been given back."""

    def __init__(self) -> None:
        super().__init__("All of this bill has been given back already.")


class SelfDecision(DomainError):
    """The agent is the driver."""

    def __init__(self) -> None:
        super().__init__("Nobody decides a case of their own; ask a colleague.")


class CardDataRefused(DomainError):
    """The text was neither stored nor logged."""

    def __init__(self, path: Sequence[str] = ()) -> None:
        super().__init__("The text contains a card number and was not stored; leave the number out.")
        self.path = tuple(path)


class UnknownTariff(DomainError):
    """The identifier that nobody supplied."""

    def __init__(self, tariff_id: str) -> None:
        super().__init__(f"No tariff {tariff_id!r} is known; send the tariff first.")
        self.tariff_id = tariff_id


class TryAgain(DomainError):
    """The store was busy or away; nothing was changed."""

    def __init__(self, reason: str = "busy") -> None:
        super().__init__("The store is busy; nothing was changed. Try again with the same key.")
        self.reason = reason
