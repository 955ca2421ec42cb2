"""A record laid out for pricing: periods in order of time, each with its end, its tariff and its volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from domain.tariffs.choice import Choice
from domain.tariffs.findings import Code, Finding
from domain.tariffs.record import ChargingPeriod, ChargingRecord, DimensionType, Evidence
from domain.tariffs.restrictions import UNMEASURED, Load
from domain.tariffs.scale import Number, Units, units_of
from domain.tariffs.tariff import Tariff

_D = DimensionType
_ENERGY, _TIME, _PARKING, _RESERVED = _D.ENERGY, _D.TIME, _D.PARKING_TIME, _D.RESERVATION_TIME
_LOADS = (
    ("min_current", (_D.MIN_CURRENT, _D.MAX_CURRENT, _D.CURRENT)),
    ("max_current", (_D.MAX_CURRENT, _D.MIN_CURRENT, _D.CURRENT)),
    ("min_power", (_D.MIN_POWER, _D.MAX_POWER, _D.POWER)),
    ("max_power", (_D.MAX_POWER, _D.MIN_POWER, _D.POWER)),
)


class Stretch(NamedTuple):
    """A period with everything pricing asks of it; volumes in units, None where the record lists none."""

    period: int
    """Where the record lists it, from 0."""
    start: datetime
    end: datetime
    tariff: Tariff
    energy: Units | None
    time: Units | None
    parking: Units | None
    reserved: Units | None
    load: Load
    evidence: Evidence
    states: tuple[tuple[datetime, str], ...]

    @property
    def is_charging(self) -> bool:
        """It lists ENERGY, TIME or PARKING_TIME, even with volume 0."""
        return self.energy is not None or self.time is not None or self.parking is not None


def lay_out(record: ChargingRecord, choice: Choice, findings: list[Finding]) -> Iterator[Stretch]:
    """The periods in order; those out of order or outside the record are noticed."""
    periods = record.periods
    starts = [period.start_at for period in periods]
    order: Sequence[int] = range(len(periods))
    if any(after < before for before, after in pairwise(starts)):
        findings.append(Finding(Code.PERIODS_OUT_OF_ORDER, "The periods are not in order of time; they were sorted."))
        order = sorted(order, key=starts.__getitem__)
        starts.sort()
    ends = [*starts[1:], record.ended_at]
    for index, start, end in zip(order, starts, ends, strict=False):
        period = periods[index]
        if not record.started_at <= start <= record.ended_at:
            message = "A period starts outside the record."
            findings.append(Finding(Code.PERIODS_OUTSIDE_START_END_DATE_TIME, message, period=index))
        yield stretch_of(index, period, max(start, end), choice.of(period.tariff_id, start), findings)


def stretch_of(index: int, period: ChargingPeriod, end: datetime, tariff: Tariff, findings: list[Finding]) -> Stretch:
    """One period, laid out."""
    energy: Units | None = None
    time: Units | None = None
    parking: Units | None = None
    reserved: Units | None = None
    others: dict[DimensionType, Number] | None = None
    for kind, volume in period.dimensions:
        units = units_of(volume)
        if kind is _ENERGY:
            energy = units if energy is None else energy + units
        elif kind is _TIME:
            time = units if time is None else time + units
        elif kind is _PARKING:
            parking = units if parking is None else parking + units
        elif kind is _RESERVED:
            reserved = units if reserved is None else reserved + units
        else:
            others = {} if others is None else others
            others[kind] = Fraction(volume) + Fraction(others.get(kind, 0))
    load = UNMEASURED
    if others is not None and energy is None:
        energy = _derived(others, index, findings)
    if tariff.edges.measured:
        load = _load(others or {}, tariff, index, findings)
    return Stretch(
        index,
        period.start_at,
        end,
        tariff,
        energy,
        time,
        parking,
        reserved,
        load,
        period.evidence,
        period.states,
    )


def _derived(given: dict[DimensionType, Number], index: int, findings: list[Finding]) -> Units | None:
    if _D.ENERGY_IMPORT not in given and _D.ENERGY_EXPORT not in given:
        return None
    message = "ENERGY is not listed; import minus export was used."
    findings.append(Finding(Code.ENERGY_DERIVED, message, period=index, dimension=_D.ENERGY.value))
    return units_of(given.get(_D.ENERGY_IMPORT, 0)) - units_of(given.get(_D.ENERGY_EXPORT, 0))


def _load(given: dict[DimensionType, Number], tariff: Tariff, index: int, findings: list[Finding]) -> Load:
    values: dict[str, Fraction | None] = {}
    averages = set()
    for name, sources in _LOADS:
        source = next((source for source in sources if source in given), None)
        values[name] = None if source is None else Fraction(given[source])
        if source is sources[-1] and name in tariff.edges.measured:
            averages.add(source)
    for source in sorted(averages):
        message = "Neither a lowest nor a highest value is listed; the average was used."
        findings.append(Finding(Code.AVERAGE_USED, message, period=index, dimension=source.value))
    return Load(**values)
