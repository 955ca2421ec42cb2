"""What a CDR or Session says it costs and contains, compared with its periods and its price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from domain.money import Money
from domain.tariffs.amounts import Part
from domain.tariffs.causes import Cause, likely_cause
from domain.tariffs.findings import Code, Finding
from domain.tariffs.reading import exact_text, is_usual
from domain.tariffs.record import ChargingRecord, DimensionType
from domain.tariffs.result import Cost, Pricing
from domain.tariffs.spans import microseconds
from domain.tariffs.tariff import Tariff

_A_MINUTE = Fraction(1, 60)
_A_WATT_HOUR = Fraction(1, 1000)
_TICKS_AN_HOUR = 3_600_000_000


def compared(
    raw: Mapping[str, object], tariffs: Sequence[Tariff], record: ChargingRecord, pricing: Pricing
) -> Iterator[Finding]:
    """Every stated total that differs; what is not stated, or is no number, is not compared."""
    for finding in _money(Code.TOTAL_COST_MISMATCH, raw, "total_cost", (pricing.net, pricing.gross), pricing):
        cause = _cause(raw, tariffs, record, pricing)
        yield finding if cause is None else replace(finding, detail={**finding.detail, "cause": cause.value})
    zero = Money.zero(pricing.currency)
    for part in Part:
        cost = pricing.parts.get(part)
        ours = (zero, zero) if cost is None else (cost.net, cost.gross)
        yield from _money(Code.PART_COST_MISMATCH, raw, f"total_{part.value}_cost", ours, pricing)
    energy = _listed(record, DimensionType.ENERGY)
    if energy is not None:
        name = "total_energy" if raw.get("total_energy") is not None else "kwh"
        yield from _number(Code.ENERGY_TOTAL_MISMATCH, raw, name, energy, _A_WATT_HOUR)
    connected = Fraction(microseconds(record.ended_at - record.started_at), _TICKS_AN_HOUR)
    yield from _number(Code.TOTAL_TIME_MISMATCH, raw, "total_time", connected, _A_MINUTE)
    parked = _listed(record, DimensionType.PARKING_TIME) or Fraction(0)
    yield from _number(Code.PARKING_TOTAL_MISMATCH, raw, "total_parking_time", parked, _A_MINUTE)


def _cause(
    raw: Mapping[str, object], tariffs: Sequence[Tariff], record: ChargingRecord, pricing: Pricing
) -> Cause | None:
    """Most likely why, where both of their totals are known, in the digits that money has."""
    price = raw.get("total_cost")
    stated = _stated(price) if isinstance(price, Mapping) else (None, None)
    if pricing.policy.digits is not None or not all(is_usual(told) for told in stated):
        return None
    net, gross = (Money.rounded(Decimal(told), pricing.currency) for told in stated if is_usual(told))
    energy = raw.get("total_energy")
    kwh = Decimal(energy) if is_usual(energy) else None
    return likely_cause(tariffs, record, pricing, Cost(net, gross), kwh)


def _listed(record: ChargingRecord, kind: DimensionType) -> Fraction | None:
    volumes = [volume for period in record.periods for told, volume in period.dimensions if told is kind]
    return sum((Fraction(volume) for volume in volumes), Fraction(0)) if volumes else None


def _stated(price: Mapping[str, object]) -> tuple[object, object]:
    """An amount without and with tax, in either spelling; with tax only if that can be told."""
    taxes = price.get("taxes")
    before, after = price.get("before_taxes", price.get("excl_vat")), price.get("incl_vat")
    if after is None and is_usual(before) and isinstance(taxes, list):
        amounts = [tax.get("amount") if isinstance(tax, Mapping) else None for tax in taxes]
        if all(is_usual(amount) for amount in amounts):
            after = Decimal(before) + sum(Decimal(amount) for amount in amounts if is_usual(amount))
    return before, after


def _money(
    code: Code, raw: Mapping[str, object], name: str, ours: tuple[Money, Money], pricing: Pricing
) -> Iterator[Finding]:
    price = raw.get(name)
    if not isinstance(price, Mapping):
        return
    for told, mine in zip(_stated(price), ours, strict=True):
        if not is_usual(told):
            continue
        theirs = pricing.policy.units(Fraction(told), pricing.digits)
        if theirs != mine.minor:
            gap = exact_text(Fraction(theirs - mine.minor, 10**pricing.digits))
            detail = {"stated": exact_text(told), "difference": gap}
            yield Finding(code, f"{name} is not what the tariff gives.", path=(name,), detail=detail)
            return


def _number(code: Code, raw: Mapping[str, object], name: str, ours: Fraction, slack: Fraction) -> Iterator[Finding]:
    told = raw.get(name)
    if is_usual(told) and abs(Fraction(told) - ours) > slack:
        detail = {"stated": exact_text(told), "listed": exact_text(ours)}
        yield Finding(code, f"{name} is not what the periods add up to.", path=(name,), detail=detail)
