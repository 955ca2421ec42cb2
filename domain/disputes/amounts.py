"""How much can be called into question, and how much of that can be given back. Pure."""

from __future__ import annotations

from domain.disputes.models import Dispute
from domain.errors import AmountNotAllowed, CurrencyMismatch
from domain.money import Money
from domain.sessions import CDR


def disputed(cdr: CDR, amount: Money | None) -> Money:
    """An amount of a bill, all of it if none is named. Raises CurrencyMismatch, AmountNotAllowed."""
    return _within(cdr.gross if amount is None else amount, cdr.gross)


def refundable(dispute: Dispute, refund: Money) -> Money:
    """A refund that the dispute asked for. Raises CurrencyMismatch, AmountNotAllowed."""
    return _within(refund, dispute.disputed)


def _within(amount: Money, most: Money) -> Money:
    if amount.currency != most.currency:
        raise CurrencyMismatch(most.currency)
    least = Money(1, most.currency)
    if not least <= amount <= most:
        raise AmountNotAllowed(least, most)
    return amount
