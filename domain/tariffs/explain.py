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
from domain.tariffs.reading import exact_text, quantity_text
from domain.tariffs.restrictions import SECOND, WEEKDAYS, Condition, Moment, actual
from domain.tariffs.result import Adjustment, Cost, Pricing, Quantities, TaxLine
from domain.tariffs.scale import snapped
from domain.tariffs.tariff import Tariff, TaxIncluded

_DOING = {
    LineKind.TIME: "charging",
    LineKind.PARKING_TIME: "parked without charging",
    LineKind.RESERVATION_TIME: "reserved",
}
_FEES = {LineKind.FLAT: "Fee of the session", LineKind.RESERVATION_FLAT: "Fee of the reservation"}
_UNITS = dict.fromkeys(TIMES, "h") | {LineKind.ENERGY: "kWh"}
_STEP_UNITS = dict.fromkeys(TIMES, "s") | {LineKind.ENERGY: "Wh"}
_LARGE = 2**53
_MOST_PASSED_OVER = 200
"""Elements listed as passed over on one line; a tariff of the year's hours has thousands."""


def taxed_json(pricing: Pricing) -> dict[str, object]:
    """The Prices of a statement as OCPI 2.3.0 writes them: before taxes, and each tax."""
    coins = Coinage(pricing.digits)
    costs = {"total_cost": Cost(pricing.net, pricing.gross, pricing.taxes)}
    costs |= {f"total_{part.value}_cost": cost for part, cost in pricing.parts.items()}
    return {
        name: {
            **coins.amounts(cost.net, cost.gross),
            "before_taxes": coins.text(cost.net),
            "taxes": [_named_tax(tax, coins) for tax in cost.taxes if tax.amount],
        }
        for name, cost in costs.items()
    }


def pricing_json(pricing: Pricing) -> dict[str, object]:
    """The whole statement of one pricing: totals, what they are made of, by which editions, rounded how."""
    coins = Coinage(pricing.digits)
    return {
        **result_json(pricing),
        **(taxed_json(pricing) if pricing.tariffs[0].is_2_3 else {}),
        "currency": pricing.currency,
        "accrued": coins.amounts(pricing.accrued_net, pricing.accrued_gross),
        "billed": _quantities_json(pricing.billed),
        "measured": _quantities_json(pricing.measured),
        "adjustments": [adjustment_json(adjustment, coins) for adjustment in pricing.adjustments],
        "tariffs": [_tariff_json(tariff) for tariff in pricing.tariffs],
        "policy": policy_json(pricing.policy),
        "time_zone": pricing.zone.key,
    }


def result_json(pricing: Pricing) -> dict[str, object]:
    """The part of the statement that a stream of records needs: amounts, taxes, lines and findings."""
    coins = Coinage(pricing.digits)
    parts = {part: pricing.parts.get(part) for part in Part}
    return {
        "total_cost": coins.amounts(pricing.net, pricing.gross),
        "taxes": [_tax_json(tax, coins) for tax in pricing.taxes],
        "lines": [line_json(line, coins) for line in pricing.lines],
        "limit_applied": None if pricing.limit_applied is None else pricing.limit_applied.value,
        "findings": [finding_json(finding) for finding in pricing.findings],
        **{
            f"total_{part.value}_cost": None if cost is None else coins.amounts(cost.net, cost.gross)
            for part, cost in parts.items()
        },
    }


class Coinage:
    """Writes money: decimal texts with exactly the digits that a total was rounded to."""

    def __init__(self, digits: int) -> None:
        self._digits = digits

    def text(self, money: Money) -> str:
        """One amount."""
        digits = str(abs(money.minor)).rjust(self._digits + 1, "0")
        sign = "-" if money.minor < 0 else ""
        return f"{sign}{digits[: -self._digits]}.{digits[-self._digits :]}" if self._digits else f"{sign}{digits}"

    def amounts(self, net: Money, gross: Money) -> dict[str, str]:
        """One amount without and with tax."""
        return {"excl_vat": self.text(net), "incl_vat": self.text(gross)}


def line_json(line: PricedLine, coins: Coinage) -> dict[str, object]:
    """One line: what was measured and billed, by which component of which edition, and why that one won.

    Quantities are kWh, hours, or 1 for what is charged once; `element` and `component` are places in the tariff and
    `periods` the first and the last period by time, all from 0. `tax.percentage` is a number, and so a Decimal.
    """
    piece, component = line.charge.piece, line.candidate.component
    told: dict[str, object] = {
        "type": line.kind.value,
        "from": _instant(line.start_at),
        "to": _instant(line.end_at),
        "periods": [piece.first, piece.last],
        "tariff": _tariff_json(line.tariff),
        "element": line.candidate.element_index,
        "component": line.candidate.component_index,
        "why": _why(line),
        "unit": _UNITS.get(line.kind, "session"),
        "measured": quantity_text(piece.measured),
        "billed": quantity_text(line.charge.billed),
        "evidence": piece.evidence.value,
        "step": None if line.step is None else _step_json(line.step, _STEP_UNITS[line.kind]),
        "price": exact_text(component.price),
        "price_unit": "/".join(filter(None, (line.net.currency, _UNITS.get(line.kind)))),
        "tax": {"included": line.tariff.tax_included.value, "percentage": component.vat},
        "exact": {"excl_vat": exact_text(line.exact_net), "incl_vat": exact_text(line.exact_gross)},
        **coins.amounts(line.net, line.gross),
    }
    if line.kind in TIMES:
        told["billed_seconds"] = _whole(snapped(line.charge.billed)[0])
    if line.kind is LineKind.PARKING_TIME:
        told["states"] = [{"at": _instant(at), "state": state} for at, state in piece.states]
    return told


def adjustment_json(adjustment: Adjustment, coins: Coinage) -> dict[str, object]:
    """What makes the lines add up to the total."""
    return {"type": adjustment.kind.value, **coins.amounts(adjustment.net, adjustment.gross)}


def finding_json(finding: Finding) -> dict[str, object]:
    """One thing noticed."""
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
        told["path"] = [str(step) for step in finding.path]
    if finding.detail:
        told["detail"] = dict(finding.detail)
    return told


def sentence(line: PricedLine, zone: ZoneInfo) -> str:
    """One line for people, in local time: "17:00 to 18:00: 12.345 kWh at 0.40 EUR per kWh = 4.94 EUR"."""
    if line.kind in FLATS:
        return f"{_clock(line.start_at, zone)}: {_FEES[line.kind]} = {_cost(line)}"
    span = f"{_clock(line.start_at, zone)} to {_clock(line.end_at, zone)}"
    per = "kWh" if line.kind is LineKind.ENERGY else "hour"
    price = f"{_price(line.candidate.component.price, line.net.currency)} per {per}"
    return f"{span}: {_quantity(line)} at {price} = {_cost(line)}"


def _named_tax(tax: TaxLine, coins: Coinage) -> dict[str, object]:
    rate = {} if tax.percentage is None else {"percentage": tax.percentage}
    return {"name": tax.name, **rate, "amount": coins.text(tax.amount)}


def _tax_json(tax: TaxLine, coins: Coinage) -> dict[str, object]:
    return {
        "name": tax.name,
        "percentage": tax.percentage,
        "base": coins.text(tax.base),
        "amount": coins.text(tax.amount),
    }


def _quantities_json(its: Quantities) -> dict[str, object]:
    return {
        "kwh": exact_text(its.energy_kwh),
        "charging_minutes": exact_text(its.charging_hours * 60),
        "idle_minutes": exact_text(its.parking_hours * 60),
        "reserved_minutes": exact_text(its.reserved_hours * 60),
    }


def _tariff_json(tariff: Tariff) -> dict[str, object]:
    return {
        "country_code": tariff.country_code,
        "party_id": tariff.party_id,
        "id": tariff.id,
        "edition": tariff.edition,
    }


def _step_json(step: Step, unit: str) -> dict[str, object]:
    return {
        "size": _whole(step.size),
        "unit": unit,
        "session_measured": quantity_text(step.session_measured),
        "session_billed": quantity_text(step.session_billed),
        "surplus": quantity_text(step.surplus),
    }


def _why(line: PricedLine) -> dict[str, object]:
    """The moment the restrictions were tested at, those that held, and what failed in the elements before."""
    moment = line.charge.piece.moment
    its = line.candidate.restrictions
    told: dict[str, object] = {
        "local": moment.local.isoformat(),
        "weekday": WEEKDAYS[moment.local.weekday()],
        "energy_before_kwh": quantity_text(moment.energy),
        "elapsed_s": int(moment.elapsed // SECOND),
        "tests": [_test_json(test, moment, holds=True) for test in its.tests],
        "passed_over": list(_passed_over(line, moment)),
    }
    return told if its.reservation is None else {**told, "reservation": its.reservation.value}


def _passed_over(line: PricedLine, moment: Moment) -> Iterator[dict[str, object]]:
    for candidate in line.tariff.candidates(line.charge.piece.lookup)[:_MOST_PASSED_OVER]:
        failed = candidate.restrictions.first_failing(moment)
        if failed is None:
            return
        yield {"element": candidate.element_index, **_test_json(failed, moment, holds=False)}


def _test_json(test: Condition, moment: Moment, *, holds: bool) -> dict[str, object]:
    return {"restriction": test.field, "limit": test.limit, "actual": actual(test.field, moment), "holds": holds}


def _whole(number: int) -> int | Decimal:
    """A number that JSON writers can hold; what is absurdly large is written as a Decimal, digit by digit."""
    return number if abs(number) < _LARGE else Decimal(number)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


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
