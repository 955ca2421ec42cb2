"""Refusals of the domain as union members, one to one, and the handlers that turn one into the other."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any
from uuid import UUID

import strawberry

from domain import errors as refusals
from domain.money import Money as Amount
from domain.partners import EvseStatus
from resolvers.context import Info
from resolvers.describing import describe
from resolvers.nodes import Node, fetch_node
from resolvers.scalars import Currency, Money, Timestamp

describe(
    EvseStatus,
    "States of an EVSE, as in OCPI.",
    AVAILABLE="Free to use.",
    BLOCKED="A vehicle or something else stands in the way.",
    CHARGING="In use.",
    INOPERATIVE="Not working, or not taking orders from an app.",
    OUTOFORDER="Broken.",
    PLANNED="Not there yet.",
    REMOVED="Not there any more.",
    RESERVED="Kept for somebody.",
    UNKNOWN="Nobody can tell, or nobody can tell the price.",
)


class UserErrorCode(StrEnum):
    """One per type."""

    INVALID_INPUT = "INVALID_INPUT"
    NOT_FOUND = "NOT_FOUND"
    STATE_CONFLICT = "STATE_CONFLICT"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    AMOUNT_NOT_ALLOWED = "AMOUNT_NOT_ALLOWED"
    CURRENCY_MISMATCH = "CURRENCY_MISMATCH"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    WALLET_FROZEN = "WALLET_FROZEN"
    WALLET_CLOSED = "WALLET_CLOSED"
    WALLET_IN_DEBT = "WALLET_IN_DEBT"
    PAYMENT_DECLINED = "PAYMENT_DECLINED"
    PAYMENT_SERVICE_UNAVAILABLE = "PAYMENT_SERVICE_UNAVAILABLE"
    DEADLINE_PASSED = "DEADLINE_PASSED"
    EVSE_UNAVAILABLE = "EVSE_UNAVAILABLE"
    STATION_UNREACHABLE = "STATION_UNREACHABLE"
    DISPUTE_WINDOW_CLOSED = "DISPUTE_WINDOW_CLOSED"
    NOTHING_LEFT_TO_CREDIT = "NOTHING_LEFT_TO_CREDIT"
    SELF_DECISION = "SELF_DECISION"
    CARD_DATA_REFUSED = "CARD_DATA_REFUSED"


describe(
    UserErrorCode,
    "Codes of refusals: the name of the type in capitals.",
    **{code.name: f"Of `{code.title().replace('_', '')}`." for code in UserErrorCode},
)


@strawberry.interface(
    description="A refusal the caller can act on; select `... on UserError` last so that later kinds still show."
)
class UserError:
    """What every refusal says."""

    code: UserErrorCode = strawberry.field(description="Stable code, one per type.")
    message: str = strawberry.field(description="Text for people.")
    path: list[str] = strawberry.field(
        description='Place in the input, such as `["input", "amount"]`; empty when the whole call is meant.'
    )


@strawberry.type(description="A value breaks a rule that its type alone cannot express.")
class InvalidInput(UserError):
    """See domain.errors."""


@strawberry.type(description="The object does not exist or is hidden from the caller; nobody can tell which.")
class NotFound(UserError):
    """See domain.errors."""


_KINDS = {"charging_session": "ChargingSession", "dispute": "Dispute"}


@strawberry.type(description="The object has moved on: its state forbids this or its revision is another.")
class StateConflict(UserError):
    """See domain.errors."""

    kind: strawberry.Private[str]
    key: strawberry.Private[UUID]

    @strawberry.field(description="The object as it is now; null when it is hidden from the caller.")
    async def current(self, info: Info) -> Node | None:
        """Fetched again, for the asker."""
        return await fetch_node(info, _KINDS.get(self.kind, ""), self.key)


@strawberry.type(description="The key was used before with another input.")
class IdempotencyConflict(UserError):
    """See domain.errors."""


@strawberry.type(description="The amount is outside what is possible here.")
class AmountNotAllowed(UserError):
    """See domain.errors."""

    min: Money | None = strawberry.field(description="Least that is possible; null without a bound.")
    max: Money | None = strawberry.field(description="Most that is possible; null without a bound.")


@strawberry.type(description="The currency is not the one of the object.")
class CurrencyMismatch(UserError):
    """See domain.errors."""

    expected: Currency = strawberry.field(description="The currency it has.")


@strawberry.type(description="The wallet holds too little.")
class InsufficientFunds(UserError):
    """See domain.errors."""

    available: Money = strawberry.field(description="What can be spent.")
    required: Money = strawberry.field(description="What is needed.")


@strawberry.type(description="The wallet is frozen until its books have been looked at.")
class WalletFrozen(UserError):
    """See domain.errors."""


@strawberry.type(description="The wallet was closed; nothing moves in it any more.")
class WalletClosed(UserError):
    """See domain.errors."""


@strawberry.type(description="Something is still to be paid first.")
class WalletInDebt(UserError):
    """See domain.errors."""

    debt: Money = strawberry.field(description="What is owed.")


@strawberry.type(description="The provider refused the payment; the refusal is final for its idempotency key.")
class PaymentDeclined(UserError):
    """See domain.errors."""

    payment_key: strawberry.Private[UUID]

    @strawberry.field(description="The refused payment; null when it is hidden from the caller.")
    async def payment(self, info: Info) -> Node | None:
        """Fetched again, for the asker."""
        return await fetch_node(info, "TopUp", self.payment_key)


@strawberry.type(description="The provider cannot be reached; nothing was charged.")
class PaymentServiceUnavailable(UserError):
    """See domain.errors."""

    retry_after_seconds: int = strawberry.field(description="Try again with the same key after this long.")


@strawberry.type(description="The time for this has passed, such as that of a quote.")
class DeadlinePassed(UserError):
    """See domain.errors."""

    deadline: Timestamp = strawberry.field(description="When it passed.")


@strawberry.type(description="The EVSE cannot be used now.")
class EvseUnavailable(UserError):
    """See domain.errors."""

    status: EvseStatus = strawberry.field(description="Its state.")


@strawberry.type(description="The charge point or its operator does not answer; nothing was started or stopped.")
class StationUnreachable(UserError):
    """See domain.errors."""

    retry_after_seconds: int = strawberry.field(description="Try again with the same key after this long.")


@strawberry.type(description="The bill is too old to be disputed.")
class DisputeWindowClosed(UserError):
    """See domain.errors."""

    closed_at: Timestamp = strawberry.field(description="When the window closed.")


@strawberry.type(description="All of it has been given back already.")
class NothingLeftToCredit(UserError):
    """See domain.errors."""


@strawberry.type(description="Nobody decides a case of their own.")
class SelfDecision(UserError):
    """See domain.errors."""


@strawberry.type(description="The text contains a card number; it was not stored.")
class CardDataRefused(UserError):
    """See domain.errors."""


def _retry(error: Any) -> dict[str, Any]:
    return {"retry_after_seconds": int(error.retry_after.total_seconds())}


def _bound(amount: Amount | None) -> Money | None:
    return None if amount is None else Money.of(amount)


FACTS: dict[type[refusals.DomainError], tuple[type[UserError], Callable[[Any], dict[str, Any]]]] = {
    refusals.InvalidInput: (InvalidInput, lambda _: {}),
    refusals.NotFound: (NotFound, lambda _: {}),
    refusals.StateConflict: (StateConflict, lambda e: {"kind": e.kind, "key": e.object_id}),
    refusals.IdempotencyConflict: (IdempotencyConflict, lambda _: {}),
    refusals.AmountNotAllowed: (AmountNotAllowed, lambda e: {"min": _bound(e.least), "max": _bound(e.most)}),
    refusals.CurrencyMismatch: (CurrencyMismatch, lambda e: {"expected": Currency(e.expected)}),
    refusals.InsufficientFunds: (
        InsufficientFunds,
        lambda e: {"available": Money.of(e.available), "required": Money.of(e.required)},
    ),
    refusals.WalletFrozen: (WalletFrozen, lambda _: {}),
    refusals.WalletClosed: (WalletClosed, lambda _: {}),
    refusals.WalletInDebt: (WalletInDebt, lambda e: {"debt": Money.of(e.debt)}),
    refusals.PaymentDeclined: (PaymentDeclined, lambda e: {"payment_key": e.payment_id}),
    refusals.PaymentServiceUnavailable: (PaymentServiceUnavailable, _retry),
    refusals.DeadlinePassed: (DeadlinePassed, lambda e: {"deadline": Timestamp(e.deadline)}),
    refusals.EvseUnavailable: (EvseUnavailable, lambda e: {"status": EvseStatus(e.status)}),
    refusals.StationUnreachable: (StationUnreachable, _retry),
    refusals.DisputeWindowClosed: (DisputeWindowClosed, lambda e: {"closed_at": Timestamp(e.closed_at)}),
    refusals.NothingLeftToCredit: (NothingLeftToCredit, lambda _: {}),
    refusals.SelfDecision: (SelfDecision, lambda _: {}),
    refusals.CardDataRefused: (CardDataRefused, lambda _: {}),
}
"""Every refusal that a mutation may answer with, its GraphQL type, and its facts as fields."""


def code_of(kind: type) -> str:
    """`NotFound` -> `NOT_FOUND`."""
    name = kind.__name__
    return "".join(f"_{letter}" if letter.isupper() and at else letter for at, letter in enumerate(name)).upper()


def told(refusal: refusals.DomainError) -> str:
    """Its text; of what is missing, hidden or malformed the same, whoever has noticed it."""
    return "There is no such object." if isinstance(refusal, refusals.NotFound) else str(refusal)


class Refusal:
    """Turns one kind of refusal into its union member."""

    def __init__(self, exception_type: type[refusals.DomainError]) -> None:
        self.exception_type = exception_type
        self.error_type, self._facts = FACTS[exception_type]

    def handle(self, exception: refusals.DomainError, *, field: object, info: object) -> UserError:
        """The refusal as the caller sees it."""
        del field, info
        return self.error_type(
            code=UserErrorCode(code_of(self.error_type)),
            message=told(exception),
            path=list(getattr(exception, "path", ())),
            **self._facts(exception),
        )


HANDLERS = tuple(Refusal(kind) for kind in FACTS)
