"""A CDR is taken back whole, once, and never the taking back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.errors import InvalidInput
from domain.tariffs import credit_of

CDR = {
    "id": "2026-000417",
    "total_cost": {"excl_vat": Decimal("7.35"), "incl_vat": Decimal("8.89")},
    "total_energy_cost": {"excl_vat": Decimal("7.35"), "incl_vat": Decimal("8.89")},
    "total_energy": Decimal("12.5"),
}


def test_everything_is_copied_and_only_the_total_is_negated() -> None:
    credit = credit_of(CDR, "2026-000417-C")
    changed = {
        "id": "2026-000417-C",
        "credit": True,
        "credit_reference_id": "2026-000417",
        "total_cost": {"excl_vat": Decimal("-7.35"), "incl_vat": Decimal("-8.89")},
    }
    assert credit == CDR | changed


def test_a_total_with_named_taxes_is_negated_tax_by_tax() -> None:
    taxes = [{"name": "VAT", "percentage": 21, "amount": Decimal("1.54")}]
    credit = credit_of({**CDR, "total_cost": {"before_taxes": Decimal("7.35"), "taxes": taxes}}, "C")
    assert credit["total_cost"] == {
        "before_taxes": Decimal("-7.35"),
        "taxes": [{"name": "VAT", "percentage": 21, "amount": Decimal("-1.54")}],
    }


def test_neither_a_credit_nor_a_second_one_nor_a_long_id_is_made() -> None:
    for cdr, name, already in (({**CDR, "credit": True}, "C", False), (CDR, "C", True), (CDR, "C" * 40, False)):
        with pytest.raises(InvalidInput):
            credit_of(cdr, name, already=already)
