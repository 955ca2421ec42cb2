"""Bills taken back: a credit CDR in full and, where something is still owed, a replacement (OCPI, CDRs module)."""

from __future__ import annotations

from datetime import datetime

import orjson

from domain.database import Transaction
from domain.errors import NothingLeftToCredit
from domain.ids import CdrId, DocumentId, Ids
from domain.ledger import Earned
from domain.money import Money
from domain.sessions.billing import idle_tax, tax_rates
from domain.sessions.cdr import CDR, CdrKind

_LONGEST_ID = 39


def share_of(cdr: CDR, refund: Money) -> Earned:
    """A refund, tax included, by the places it was earned in: in proportion, so no part gets back more than it gave."""
    rates = tax_rates(cdr)
    charging = cdr.net_minor - cdr.idle_net_minor
    weights = [charging, cdr.idle_net_minor, *(tax.minor for _, tax in rates)]
    back = refund.split(weights)
    taxes = tuple((rate, part) for (rate, _), part in zip(rates, back[2:], strict=True) if part)
    return Earned(cdr.country, back[0], back[1], taxes)


async def credit(
    tx: Transaction, cdr: CDR, returned: Earned, note: DocumentId, ids: Ids, at: datetime
) -> tuple[CDR, CDR | None]:
    """Write the credit of a CDR in full, and its replacement if not all of it is given back.

    Everything is copied, only the amounts differ. Raises NothingLeftToCredit when it was credited before.
    """
    taken_back = _like(cdr, ids, at, kind=CdrKind.CREDIT, credits_id=cdr.id, document_id=note)
    # Ids of CDRs end after 39 characters; one that leaves no room for the usual suffix is followed by a fresh one.
    taken_back.ocpi_id = f"{cdr.ocpi_id}-C" if len(cdr.ocpi_id) <= _LONGEST_ID - 2 else str(taken_back.id)
    for name in ("net_minor", "tax_minor", "idle_net_minor", "idle_tax_minor"):
        setattr(taken_back, name, -getattr(cdr, name))
    taken_back.taxes = _taxes([(rate, -tax) for rate, tax in tax_rates(cdr)])
    if not await tx.insert_once(taken_back):
        raise NothingLeftToCredit
    if returned.total == cdr.gross:
        return taken_back, None
    rest = _like(cdr, ids, at, kind=CdrKind.REPLACEMENT, credits_id=None, document_id=note)
    rest.ocpi_id = str(rest.id)
    tax = sum((amount for _, amount in returned.taxes), Money.zero(cdr.currency))
    rest.net_minor -= (returned.charging + returned.idle).minor
    rest.tax_minor -= tax.minor
    rest.idle_net_minor -= returned.idle.minor
    rest.idle_tax_minor = idle_tax(rest).minor
    back = dict(returned.taxes)
    zero = Money.zero(cdr.currency)
    rest.taxes = _taxes([(rate, amount - back.get(rate, zero)) for rate, amount in tax_rates(cdr)])
    await tx.insert(rest)
    return taken_back, rest


def _like(cdr: CDR, ids: Ids, at: datetime, *, kind: CdrKind, credits_id: CdrId | None, document_id: DocumentId) -> CDR:
    values = cdr.model_dump()
    values |= {"id": CdrId(ids.new()), "kind": kind, "credits_id": credits_id, "document_id": document_id}
    return CDR(**(values | {"issued_at": at}))


def _taxes(rates: list[tuple[object, Money]]) -> str:
    return orjson.dumps([[f"{rate:f}", tax.minor] for rate, tax in rates]).decode()
