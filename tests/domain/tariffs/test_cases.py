"""Whole sessions with the price they must have: one folder each in `tests/tariff_cases`.

A case lists what it cares about: totals always; lines as kind, element, billed quantity and exact net; findings in
their short form. Anyone who knows OCPI can add one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain import errors
from domain.errors import DomainError
from domain.money import Money
from domain.tariffs import AdjustmentKind, Pricing, json_text, parse_record, parse_tariff, price, pricing_json

CASES = sorted((Path(__file__).parents[2] / "tariff_cases").glob("*/case.json"))


def case(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(), parse_float=Decimal)
    return read


def priced(its: Mapping[str, Any]) -> Pricing:
    tariffs = [parse_tariff(tariff) for tariff in its["tariffs"]]
    return price(tariffs, parse_record(its["record"]), ZoneInfo(its["time_zone"]))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.parent.name)
def test_a_session_costs_what_its_case_says(path: Path) -> None:
    its = case(path)
    expected = its["expected"]
    if "refused" in expected:
        with pytest.raises(getattr(errors, expected["refused"])) as refused:
            priced(its)
        assert isinstance(refused.value, DomainError)
        assert list(getattr(refused.value, "path", ())) == expected.get("path", [])
        return
    pricing = priced(its)
    billed: Any = pricing_json(pricing)["billed"]
    for name, quantity in expected.pop("billed", {}).items():
        assert (name, billed[name]) == (name, quantity)
    assert {name: _STATED[name](pricing) for name in expected} == expected
    assert adds_up(pricing)
    json_text(pricing_json(pricing))


def test_there_are_cases() -> None:
    assert len(CASES) >= 70


def adds_up(pricing: Pricing) -> bool:
    """Lines and adjustments are the total, and so are parts and limits; taxes are what lies between net and gross."""
    shown = [(its.net, its.gross) for its in pricing.lines]
    adjusted = [(its.net, its.gross) for its in pricing.adjustments]
    parts = [(its.net, its.gross) for its in pricing.parts.values()]
    limits = [(its.net, its.gross) for its in pricing.adjustments if its.kind is not AdjustmentKind.ROUNDING]
    taxes = [(its.amount, its.amount) for its in pricing.taxes]
    total = pricing.net, pricing.gross
    return (
        _sum(shown + adjusted, pricing.currency) == total
        and _sum(parts + limits, pricing.currency) == total
        and _sum(taxes, pricing.currency)[0] == pricing.tax
    )


def _sum(pairs: list[tuple[Money, Money]], currency: str) -> tuple[Money, Money]:
    zero = Money.zero(currency)
    return sum((net for net, _ in pairs), zero), sum((gross for _, gross in pairs), zero)


def _two(net: Money, gross: Money) -> list[str]:
    return [str(net.major), str(gross.major)]


def _lines(pricing: Pricing) -> list[list[object]]:
    lines: Any = pricing_json(pricing)["lines"]
    return [[line["type"], line["element"], line["billed"], line["exact"]["excl_vat"]] for line in lines]


_STATED: dict[str, Any] = {
    "total": lambda pricing: _two(pricing.net, pricing.gross),
    "accrued": lambda pricing: _two(pricing.accrued_net, pricing.accrued_gross),
    "limit": lambda pricing: pricing.limit_applied and pricing.limit_applied.value,
    "parts": lambda pricing: {part.value: _two(cost.net, cost.gross) for part, cost in pricing.parts.items()},
    "taxes": lambda pricing: [[str(tax.percentage), *_two(tax.base, tax.amount)] for tax in pricing.taxes],
    "adjustments": lambda pricing: [[its.kind.value, *_two(its.net, its.gross)] for its in pricing.adjustments],
    "findings": lambda pricing: sorted({str(finding) for finding in pricing.findings}),
    "lines": _lines,
}
