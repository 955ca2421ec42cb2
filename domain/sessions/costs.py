"""The cost of a session as it is shown: lines that add up to the total, with the sentence that explains each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, cast

import orjson

from domain.ledger import Earned
from domain.money import Money, rounded
from domain.tariffs import (
    Adjustment,
    Coinage,
    Evidence,
    LineKind,
    Part,
    PricedLine,
    Pricing,
    TaxIncluded,
    line_json,
    parse_instant,
    read_json,
    sentence,
)

_DIGITS = 6

Explanation = Mapping[str, Any]
"""A line explained, as `tariffs.line_json` writes it."""


class CostLineKind(StrEnum):
    """What a line charges."""

    ENERGY = "energy"
    TIME = "time"
    PARKING_TIME = "parking_time"
    FLAT = "flat"
    RESERVATION = "reservation"
    MIN_PRICE = "min_price"
    MAX_PRICE = "max_price"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line. Quantities in the unit of the price (kWh, h, 1), prices in major units, amounts in minor units."""

    kind: CostLineKind
    net_minor: int
    tax_minor: int
    explanation: str
    measured: Decimal | None = None
    billed: Decimal | None = None
    price_net: Decimal | None = None
    price_gross: Decimal | None = None
    vat_percent: Decimal | None = None
    evidence: Evidence | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None


_KINDS = {kind: CostLineKind(kind.value.lower()) for kind in LineKind if not kind.value.startswith("RESERVATION")} | {
    LineKind.RESERVATION_FLAT: CostLineKind.RESERVATION,
    LineKind.RESERVATION_TIME: CostLineKind.RESERVATION,
}


def cost_lines(pricing: Pricing) -> list[CostLine]:
    """The lines of a pricing; they add up to its total exactly."""
    return [*_priced(pricing), *(_adjusted(adjustment) for adjustment in pricing.adjustments)]


def earned(pricing: Pricing, country: str) -> Earned:
    """What a pricing earns, by place in the books; parking is shown apart, never above the whole."""
    parking = pricing.parts.get(Part.PARKING)
    idle = Money.zero(pricing.currency) if parking is None else min(parking.net, pricing.net)
    taxes = tuple((tax.percentage or Decimal(0), tax.amount) for tax in pricing.taxes if tax.amount)
    return Earned(country, pricing.net - idle, idle, taxes)


def lines_json(lines: Sequence[CostLine]) -> str:
    """Lines as they lie in the table: decimals as text, instants in UTC, what is unknown left out."""
    return orjson.dumps([_as_json(line) for line in lines]).decode()


def lines_of(text: str) -> list[CostLine]:
    """Lines as they were stored."""
    items: list[dict[str, Any]] = orjson.loads(text)
    return [_line(item) for item in items]


def explanations(pricing: Pricing) -> list[Explanation]:
    """Of each priced line; what only adjusts others comes behind those and has none."""
    coins = Coinage(pricing.digits)
    return [line_json(line, coins) for line in pricing.lines]


def explanations_of(content: str) -> list[Explanation]:
    """The same as they lie in a bill of ours; none in one that was made before they did."""
    pricing = cast("dict[str, Any]", read_json(content.encode())).get("pricing", {})
    return list(pricing.get("lines", ()))


def _priced(pricing: Pricing) -> Iterator[CostLine]:
    for line in pricing.lines:
        yield CostLine(
            kind=_KINDS[line.kind],
            net_minor=line.net.minor,
            tax_minor=(line.gross - line.net).minor,
            explanation=sentence(line, pricing.zone),
            measured=_shown(line.measured),
            billed=_shown(line.billed),
            price_net=_unit(line, is_net=True),
            price_gross=_unit(line, is_net=False),
            vat_percent=line.candidate.component.vat,
            evidence=line.charge.piece.evidence,
            start_at=line.start_at,
            end_at=line.end_at,
        )


def _unit(line: PricedLine, *, is_net: bool) -> Decimal:
    component, included = line.candidate.component, line.tariff.tax_included
    price, vat = Fraction(component.price), 1 + Fraction(component.vat or 0) / 100
    if included is TaxIncluded.YES and is_net:
        return _shown(price / vat)
    return _shown(price * vat if included is TaxIncluded.NO and not is_net else price)


def _shown(exact: Fraction) -> Decimal:
    return Decimal(rounded(exact * 10**_DIGITS)).scaleb(-_DIGITS).normalize()


_WHY = {
    "MIN_PRICE": "Lifts the total to the minimum price of the tariff.",
    "MAX_PRICE": "Lowers the total to the maximum price of the tariff.",
    "ROUNDING": "The total is rounded once; this makes the lines add up to it.",
}


def _adjusted(adjustment: Adjustment) -> CostLine:
    return CostLine(
        kind=CostLineKind(adjustment.kind.value.lower()),
        net_minor=adjustment.net.minor,
        tax_minor=(adjustment.gross - adjustment.net).minor,
        explanation=_WHY[adjustment.kind.value],
    )


_DECIMALS = ("measured", "billed", "price_net", "price_gross", "vat_percent")
_INSTANTS = ("start_at", "end_at")


def _as_json(line: CostLine) -> dict[str, Any]:
    content: dict[str, Any] = {
        "kind": line.kind.value,
        "net_minor": line.net_minor,
        "tax_minor": line.tax_minor,
        "explanation": line.explanation,
    }
    if line.evidence is not None:
        content["evidence"] = line.evidence.value
    for name in _DECIMALS:
        value = getattr(line, name)
        if value is not None:
            content[name] = f"{value:f}"
    for name in _INSTANTS:
        instant = getattr(line, name)
        if instant is not None:
            content[name] = instant.isoformat()
    return content


def _line(item: dict[str, Any]) -> CostLine:
    evidence = item.get("evidence")
    return CostLine(
        kind=CostLineKind(item["kind"]),
        net_minor=item["net_minor"],
        tax_minor=item["tax_minor"],
        explanation=item["explanation"],
        evidence=None if evidence is None else Evidence(evidence),
        measured=_decimal(item, "measured"),
        billed=_decimal(item, "billed"),
        price_net=_decimal(item, "price_net"),
        price_gross=_decimal(item, "price_gross"),
        vat_percent=_decimal(item, "vat_percent"),
        start_at=_instant(item, "start_at"),
        end_at=_instant(item, "end_at"),
    )


def _decimal(item: dict[str, Any], name: str) -> Decimal | None:
    return Decimal(item[name]) if name in item else None


def _instant(item: dict[str, Any], name: str) -> datetime | None:
    return parse_instant(item[name]) if name in item else None
