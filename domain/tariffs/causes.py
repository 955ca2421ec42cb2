"""Why somebody else's total differs from ours: the same record priced again as if one rule were broken. Pure.

Causes are tried in the order of their names; the first whose total is theirs is the likely one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.tariffs.lines import LineKind
from domain.tariffs.policy import DEFAULT_POLICY, RoundingMode, RoundingPoint
from domain.tariffs.pricing import price
from domain.tariffs.record import ChargingPeriod, ChargingRecord, DimensionType
from domain.tariffs.restrictions import UNRESTRICTED, Restrictions
from domain.tariffs.result import Cost, Pricing
from domain.tariffs.tariff import PriceComponent, Tariff, TariffElement, TaxIncluded

MOST_PERIODS = 2_000
"""In a longer record nobody looks for the cause: each attempt prices all of it."""


class Cause(StrEnum):
    """What was most likely done otherwise, in the order in which it is tried."""

    TRUNCATION = "truncation"
    LINE_ROUNDING = "line_rounding"
    TIME_ZONE = "time_zone"
    STEP_PER_PERIOD = "step_per_period"
    NO_STEP = "no_step"
    WALL_CLOCK_TIME = "wall_clock_time"
    VAT = "vat"
    PRICE_LIMIT_IGNORED = "price_limit_ignored"
    RESTRICTION_IGNORED = "restriction_ignored"
    ENERGY = "energy"
    UNKNOWN = "unknown"


Attempt = Callable[[], Pricing]
_UTC = ZoneInfo("UTC")


def likely_cause(
    tariffs: Sequence[Tariff], record: ChargingRecord, ours: Pricing, theirs: Cost, energy_kwh: Decimal | None
) -> Cause:
    """The first broken rule that gives their total; `energy_kwh` is the total they state."""
    if len(record.periods) > MOST_PERIODS:
        return Cause.UNKNOWN
    for cause, attempt in _attempts(tariffs, record, ours, energy_kwh):
        if cause is Cause.VAT and _differs_in_tax(ours, theirs):
            return cause
        found = attempt()
        if (found.net, found.gross) == (theirs.net, theirs.gross):
            return cause
    return Cause.UNKNOWN


def _differs_in_tax(ours: Pricing, theirs: Cost) -> bool:
    """The same without tax, or one amount taken for the other."""
    taxed = ours.net != ours.gross or theirs.net != theirs.gross
    return taxed and (theirs.net in (ours.net, ours.gross) or theirs.gross == ours.net)


def _attempts(
    tariffs: Sequence[Tariff], record: ChargingRecord, ours: Pricing, energy_kwh: Decimal | None
) -> Iterator[tuple[Cause, Attempt]]:
    zone = ours.zone
    cut, by_line = replace(DEFAULT_POLICY, mode=RoundingMode.DOWN), replace(DEFAULT_POLICY, point=RoundingPoint.LINE)
    yield Cause.TRUNCATION, lambda: price(tariffs, record, zone, cut)
    yield Cause.TRUNCATION, lambda: price(tariffs, record, zone, replace(by_line, mode=RoundingMode.DOWN))
    yield Cause.LINE_ROUNDING, lambda: price(tariffs, record, zone, by_line)

    def otherwise(cause: Cause, changed: Sequence[Tariff], told: ChargingRecord = record) -> tuple[Cause, Attempt]:
        return cause, lambda: price(changed, told, zone)

    stepless = [_each_component(tariff, lambda component: replace(component, step_size=0)) for tariff in tariffs]
    yield Cause.TIME_ZONE, lambda: price(tariffs, record, _UTC)
    yield otherwise(Cause.STEP_PER_PERIOD, stepless, _stepped(record, ours))
    yield otherwise(Cause.NO_STEP, stepless)
    for parked in (False, True):
        yield otherwise(Cause.WALL_CLOCK_TIME, tariffs, _by_the_clock(record, parked=parked))
    for included in TaxIncluded:
        yield otherwise(Cause.VAT, [replace(tariff, tax_included=included) for tariff in tariffs])
    yield otherwise(Cause.PRICE_LIMIT_IGNORED, [replace(tariff, min_price=None, max_price=None) for tariff in tariffs])
    for loosened in _LOOSENED:
        yield otherwise(Cause.RESTRICTION_IGNORED, [_each_element(tariff, loosened) for tariff in tariffs])
    unrestricted = [_only_unrestricted(tariff) for tariff in tariffs]
    if all(tariff.elements for tariff in unrestricted):
        yield otherwise(Cause.RESTRICTION_IGNORED, unrestricted)
    if energy_kwh is not None and ours.measured.energy_kwh:
        yield otherwise(Cause.ENERGY, tariffs, _scaled(record, Fraction(energy_kwh) / ours.measured.energy_kwh))


def _each_component(tariff: Tariff, change: Callable[[PriceComponent], PriceComponent]) -> Tariff:
    def changed(element: TariffElement) -> TariffElement:
        return replace(element, price_components=tuple(change(component) for component in element.price_components))

    return replace(tariff, elements=tuple(changed(element) for element in tariff.elements))


def _each_element(tariff: Tariff, change: Callable[[Restrictions], Restrictions]) -> Tariff:
    elements = (replace(element, restrictions=change(element.restrictions)) for element in tariff.elements)
    return replace(tariff, elements=tuple(elements))


def _without(**fields: object) -> Callable[[Restrictions], Restrictions]:
    return lambda restrictions: replace(restrictions, **fields)  # type: ignore[arg-type]  # names are those of the class


_LOOSENED: tuple[Callable[[Restrictions], Restrictions], ...] = (
    _without(start_time=None, end_time=None),
    _without(start_date=None, end_date=None, day_of_week=frozenset()),
    _without(min_kwh=None, max_kwh=None),
    _without(min_duration=None, max_duration=None),
    _without(min_power=None, max_power=None, min_current=None, max_current=None),
    lambda restrictions: replace(UNRESTRICTED, reservation=restrictions.reservation),
)


def _only_unrestricted(tariff: Tariff) -> Tariff:
    return replace(tariff, elements=tuple(one for one in tariff.elements if not one.restrictions.tests))


_DIMENSIONS = {
    DimensionType.ENERGY: LineKind.ENERGY,
    DimensionType.TIME: LineKind.TIME,
    DimensionType.PARKING_TIME: LineKind.PARKING_TIME,
    DimensionType.RESERVATION_TIME: LineKind.RESERVATION_TIME,
}


def _stepped(record: ChargingRecord, ours: Pricing) -> ChargingRecord:
    """Every period rounded up to the step of what priced it."""

    def step_of(place: int, kind: DimensionType) -> Fraction:
        for line in ours.lines:
            if line.kind is _DIMENSIONS.get(kind) and line.first_period <= place <= line.last_period:
                whole = 1000 if kind is DimensionType.ENERGY else 3600
                return Fraction(line.candidate.component.step_size, whole)
        return Fraction(0)

    def stepped(place: int, kind: DimensionType, volume: Fraction) -> Fraction:
        step = step_of(place, kind)
        return -(-volume // step) * step if step > 0 and volume > 0 else volume

    in_order = sorted(record.periods, key=lambda period: period.start_at)
    periods = [
        _otherwise(one, ((kind, stepped(i, kind, Fraction(told))) for kind, told in one.dimensions))
        for i, one in enumerate(in_order)
    ]
    return replace(record, periods=tuple(periods))


def _by_the_clock(record: ChargingRecord, *, parked: bool) -> ChargingRecord:
    """Charging time as long as its period lasts; with `parked`, every period is charging time."""
    in_order = sorted(record.periods, key=lambda period: period.start_at)
    ends = [*(period.start_at for period in in_order[1:]), record.ended_at]

    def changed(period: ChargingPeriod, hours: Fraction) -> ChargingPeriod:
        replaced = {DimensionType.TIME} | ({DimensionType.PARKING_TIME} if parked else set())
        kept = [told for told in period.dimensions if told[0] not in replaced]
        had = any(kind in replaced for kind, _ in period.dimensions)
        return _otherwise(period, [*kept, (DimensionType.TIME, hours)]) if had else period

    lengths = (
        Fraction(max(end - one.start_at, timedelta(0)) // timedelta(microseconds=1), 3_600_000_000)
        for one, end in zip(in_order, ends, strict=True)
    )
    periods = tuple(changed(one, hours) for one, hours in zip(in_order, lengths, strict=True))
    return replace(record, periods=periods)


def _scaled(record: ChargingRecord, factor: Fraction) -> ChargingRecord:
    """Energy that adds up to another total."""
    energies = (DimensionType.ENERGY, DimensionType.ENERGY_IMPORT, DimensionType.ENERGY_EXPORT)

    def scaled(period: ChargingPeriod) -> ChargingPeriod:
        return _otherwise(period, ((k, Fraction(v) * factor if k in energies else v) for k, v in period.dimensions))

    return replace(record, periods=tuple(scaled(period) for period in record.periods))


def _otherwise(
    period: ChargingPeriod, dimensions: Iterable[tuple[DimensionType, int | Decimal | Fraction]]
) -> ChargingPeriod:
    return ChargingPeriod(period.start_at, tuple(dimensions), period.tariff_id)
