"""Credit CDRs: a CDR is never changed or deleted, it is taken back by another one (OCPI, CDRs module)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from domain.errors import InvalidInput
from domain.tariffs.reading import Flaw, mapping, modest, refusal, required, sequence

_LONGEST_ID = 39


def credit_of(cdr: Mapping[str, object], credit_id: str, *, already: bool = False) -> dict[str, object]:
    """The CDR that takes this one back in full: everything is copied, only `total_cost` is negated.

    Raises InvalidInput for the credit of a credit, for a second one (`already`), and for an id beyond 39 characters.
    """
    if cdr.get("credit"):
        raise InvalidInput("A credit cannot be credited.", ("credit",))
    if already:
        raise InvalidInput("This CDR has been credited before.", ("credit_reference_id",))
    if not 0 < len(credit_id) <= _LONGEST_ID:
        raise refusal(Flaw.BAD_VALUE, ("id",))
    price = mapping(required(cdr, "total_cost", ()), ("total_cost",))
    reference = required(cdr, "id", ())
    return {
        **cdr,
        "id": credit_id,
        "credit": True,
        "credit_reference_id": reference,
        "total_cost": {name: _negated(name, value) for name, value in price.items()},
    }


def _negated(name: str, value: object) -> object:
    if name == "taxes" and value is not None:
        taxes = (mapping(tax, ("total_cost", "taxes")) for tax in sequence(value, ("total_cost", "taxes")))
        return [{**tax, "amount": _less(tax.get("amount"))} for tax in taxes]
    return _less(value)


def _less(value: object) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise refusal(Flaw.BAD_NUMBER, ("total_cost",))
    return -modest(value, ("total_cost",))
