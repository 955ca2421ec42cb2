"""What we ask of a payment provider, and the four ways it can answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.money import Money


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """A hosted checkout for one top-up; equal fields make an equal request, byte for byte."""

    reference: str
    amount: Money
    return_url: str
    country: str
    shopper_reference: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """The provider opened a checkout: the driver pays at `url`."""

    checkout_session_id: str
    url: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no; another try needs a new key."""

    error_code: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened: asked again with the same key, or told by webhook."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing left this machine, or the provider is not taking requests now."""

    reason: str


Outcome = Answered | Refused | Unknown | NotSent


class PaymentGateway(Protocol):
    """A payment provider. Every call carries our own key, ends within seconds and never raises."""

    @property
    def merchant_account(self) -> str:
        """The account whose clearing balance we keep."""
        ...

    async def open_checkout(self, request: CheckoutRequest, key: UUID) -> Outcome:
        """Open a hosted checkout; the same key is the same checkout."""
        ...
