"""Every cent explained: a pricing as JSON, and a line as one plain sentence.

JSON-safe throughout: exact numbers are texts, plain decimals or fractions in lowest terms such as "17/60", coins are
integers, instants UTC. GraphQL, receipts and disputes all show this.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.money import DIGITS, Money, rounded
from domain.tariffs.amounts import Part
from domain.tariffs.findings import Finding
from domain.tariffs.lines import FLATS, TIMES, LineKind, PricedLine, Step
from domain.tariffs.policy import policy_json
from domain.tariffs.reading import exact_text
from domain.tariffs.restrictions import SECOND, WEEKDAYS, Condition, actual
from domain.tariffs.result import Adjustment, Pricing, Quantities, TaxLine
from domain.tariffs.tariff import Tariff, TaxIncluded

_DOING = {
    LineKind.TIME: "charging",
    LineKind.PARKING_TIME: "parked without charging",
    LineKind.RESERVATION_TIME: "reserved",
}
_FEES = {LineKind.FLAT: "Fee of the session", LineKind.RESERVATION_FLAT: "Fee of the reservation"}
_UNITS = dict.fromkeys(TIMES, "h") | {LineKind.ENERGY: "kWh"}
_STEP_UNITS = dict.fromkeys(TIMES, "s") | {LineKind.ENERGY: "Wh"}


def pricing_json(pricing: Pricing) -> dict[str, object]:
    """The whole statement of one pricing: totals, what they are made of, by which editions, rounded how."""
    costs = {f"total_{part.value}_cost": _part_json(pricing, part) for part in Part}
    return {
        "currency": pricing.currency,
        "total_cost": _amounts(pricing.net, pricing.gross),
        **costs,
        "accrued": _amounts(pricing.accrued_net, pricing.accrued_gross),
        "limit_applied": None if pricing.limit_applied is None else pricing.limit_applied.value,
        "taxes": [_tax_json(tax) for tax in pricing.taxes],
        "lines": [line_json(line) for line in pricing.lines],
        "adjustments": [adjustment_json(adjustment) for adjustment in pricing.adjustments],
        "measured": _quantities_json(pricing.measured),
        "billed": _quantities_json(pricing.billed),
        "findings": [_finding_json(finding) for finding in pricing.findings],
        "tariffs": [_tariff_json(tariff) for tariff in pricing.tariffs],
        "policy": policy_json(pricing.policy),
        "time_zone": pricing.zone.key,
    }


def line_json(line: PricedLine) -> dict[str, object]:
    """One line: what was measured and billed, by which component of which edition, and why that one won.

    Quantities are kWh, hours, or 1 for what is charged once; `element` and `component` are places in the tariff and
    `periods` the first and the last period by time, all from 0.
    """
    component = line.candidate.component
    measured: dict[str, object] = {"measured": exact_text(line.measured), "billed": exact_text(line.billed)}
    if line.kind in TIMES:
        measured["billed_seconds"] = rounded(line.billed * 3600)
    return {
        "type": line.kind.value,
        "from": _instant(line.start_at),
        "to": _instant(line.end_at),
        "periods": [line.first_period, line.last_period],
        "tariff": _tariff_json(line.tariff),
        "element": line.candidate.element_index,
        "component": line.candidate.component_index,
        "why": _why(line),
        "unit": _UNITS.get(line.kind, "session"),
        **measured,
        "step": None if line.step is None else _step_json(line.step, _STEP_UNITS[line.kind]),
        "price": exact_text(component.price),
        "price_unit": "/".join(filter(None, (line.net.currency, _UNITS.get(line.kind)))),
        "tax": {"included": line.tariff.tax_included.value, "percentage": _optional(component.vat)},
        "exact": {"excl_vat": exact_text(line.exact_net), "incl_vat": exact_text(line.exact_gross)},
        **_amounts(line.net, line.gross),
    }


def adjustment_json(adjustment: Adjustment) -> dict[str, object]:
    """What makes the lines add up to the total."""
    return {"kind": adjustment.kind.value, **_amounts(adjustment.net, adjustment.gross)}


def sentence(line: PricedLine, zone: ZoneInfo) -> str:
    """One line for people, in local time: "17:00 to 18:00: 12.345 kWh at 0.40 EUR per kWh = 4.94 EUR"."""
    if line.kind in FLATS:
        return f"{_clock(line.start_at, zone)}: {_FEES[line.kind]} = {_cost(line)}"
    span = f"{_clock(line.start_at, zone)} to {_clock(line.end_at, zone)}"
    per = "kWh" if line.kind is LineKind.ENERGY else "hour"
    price = f"{_price(line.candidate.component.price, line.net.currency)} per {per}"
    return f"{span}: {_quantity(line)} at {price} = {_cost(line)}"


def _amounts(net: Money, gross: Money) -> dict[str, object]:
    return {
        "excl_vat": str(net.major),
        "incl_vat": str(gross.major),
        "net_minor": net.minor,
        "gross_minor": gross.minor,
    }


def _part_json(pricing: Pricing, part: Part) -> dict[str, object] | None:
    cost = pricing.parts.get(part)
    return None if cost is None else _amounts(cost.net, cost.gross)


def _tax_json(tax: TaxLine) -> dict[str, object]:
    return {
        "name": tax.name,
        "percentage": _optional(tax.percentage),
        "base": str(tax.base.major),
        "amount": str(tax.amount.major),
    }


def _quantities_json(its: Quantities) -> dict[str, object]:
    return {
        "kwh": exact_text(its.energy_kwh),
        "charging_minutes": exact_text(its.charging_hours * 60),
        "idle_minutes": exact_text(its.parking_hours * 60),
        "reserved_minutes": exact_text(its.reserved_hours * 60),
    }


def _finding_json(finding: Finding) -> dict[str, object]:
    told: dict[str, object] = {
        "code": finding.code.value,
        "level": finding.level.value,
        "message": finding.message,
    }
    if finding.period is not None:
        told["period"] = finding.period
    if finding.dimension is not None:
        told["dimension"] = finding.dimension
    if finding.path:
        told["path"] = list(finding.path)
    if finding.detail:
        told["detail"] = dict(finding.detail)
    return told


def _tariff_json(tariff: Tariff) -> dict[str, object]:
    return {
        "country_code": tariff.country_code,
        "party_id": tariff.party_id,
        "id": tariff.id,
        "edition": tariff.edition,
    }


def _step_json(step: Step, unit: str) -> dict[str, object]:
    return {
        "size": step.size,
        "unit": unit,
        "session_measured": exact_text(step.session_measured),
        "session_billed": exact_text(step.session_billed),
        "surplus": exact_text(step.surplus),
    }


def _why(line: PricedLine) -> dict[str, object]:
    """The moment the restrictions were tested at, those that held, and what failed in the elements before."""
    moment = line.moment
    reservation = line.candidate.restrictions.reservation
    return {
        "local": moment.local.isoformat(),
        "weekday": WEEKDAYS[moment.local.weekday()],
        "energy_before_kwh": exact_text(moment.energy),
        "elapsed_s": int(moment.elapsed // SECOND),
        "reservation": None if reservation is None else reservation.value,
        "tests": [_test_json(test, line, holds=True) for test in line.candidate.restrictions.tests],
        "passed_over": list(_passed_over(line)),
    }


def _passed_over(line: PricedLine) -> Iterator[dict[str, object]]:
    for candidate in line.tariff.candidates(line.lookup):
        failed = candidate.restrictions.first_failing(line.moment)
        if failed is None:
            return
        yield {"element": candidate.element_index, **_test_json(failed, line, holds=False)}


def _test_json(test: Condition, line: PricedLine, *, holds: bool) -> dict[str, object]:
    return {
        "restriction": test.field,
        "limit": test.limit,
        "actual": actual(test.field, line.moment),
        "holds": holds,
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _optional(value: Decimal | None) -> str | None:
    return None if value is None else exact_text(value)


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"


def _price(price: Decimal, currency: str) -> str:
    """Exactly, with no fewer decimals than the currency has."""
    whole, _, decimals = exact_text(price).partition(".")
    decimals = decimals.ljust(DIGITS[currency], "0")
    return f"{whole}{'.' if decimals else ''}{decimals} {currency}"


def _quantity(line: PricedLine) -> str:
    if line.kind is not LineKind.ENERGY:
        return f"{_span(line.billed)} {_DOING[line.kind]}"
    return f"{exact_text(Fraction(rounded(line.billed * 1000), 1000))} kWh"


def _span(hours: Fraction) -> str:
    minutes, seconds = divmod(rounded(hours * 3600), 60)
    whole, minutes = divmod(minutes, 60)
    counted = ((whole, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in counted if count) or "0 s"


def _cost(line: PricedLine) -> str:
    if line.gross == line.net:
        return str(line.net)
    rate = f"{exact_text(line.candidate.component.vat or 0)} % VAT"
    if line.tariff.tax_included is TaxIncluded.YES:
        return f"{line.gross}, of which {line.gross - line.net} is {rate}"
    return f"{line.net}, with {rate} {line.gross}"
