"""A record laid out for pricing: periods in order of time, each with its end, its tariff and its volumes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from domain.tariffs.choice import Choice
from domain.tariffs.findings import Code, Finding
from domain.tariffs.lines import LineKind
from domain.tariffs.reading import Number
from domain.tariffs.record import ChargingPeriod, ChargingRecord, DimensionType
from domain.tariffs.restrictions import UNMEASURED, Load
from domain.tariffs.tariff import Tariff

_D = DimensionType
_VOLUMES = ((_D.TIME, LineKind.TIME), (_D.PARKING_TIME, LineKind.PARKING_TIME))
_LOADS = (
    ("min_current", (_D.MIN_CURRENT, _D.MAX_CURRENT, _D.CURRENT)),
    ("max_current", (_D.MAX_CURRENT, _D.MIN_CURRENT, _D.CURRENT)),
    ("min_power", (_D.MIN_POWER, _D.MAX_POWER, _D.POWER)),
    ("max_power", (_D.MAX_POWER, _D.MIN_POWER, _D.POWER)),
)
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A period with everything pricing asks of it. `volumes` holds what is not zero, in kWh and hours."""

    period: int
    """Where the record lists it, from 0."""
    start: datetime
    end: datetime
    tariff: Tariff
    is_charging: bool
    """It lists ENERGY, TIME or PARKING_TIME, even with volume 0."""
    is_reserved: bool
    volumes: dict[LineKind, Fraction]
    load: Load

    @property
    def energy(self) -> Fraction:
        """Net kWh."""
        return self.volumes.get(LineKind.ENERGY, _ZERO)


def lay_out(record: ChargingRecord, choice: Choice, findings: list[Finding]) -> list[Stretch]:
    """The periods in order; those out of order or outside the record are noticed."""
    order = sorted(range(len(record.periods)), key=lambda index: record.periods[index].start_at)
    if order != list(range(len(order))):
        findings.append(Finding(Code.PERIODS_OUT_OF_ORDER, "The periods are not in order of time; they were sorted."))
    starts = [record.periods[index].start_at for index in order]
    stretches = []
    for index, end in zip(order, [*starts[1:], record.ended_at], strict=False):
        period = record.periods[index]
        if not record.started_at <= period.start_at <= record.ended_at:
            message = "A period starts outside the record."
            findings.append(Finding(Code.PERIODS_OUTSIDE_START_END_DATE_TIME, message, period=index))
        stretches.append(_stretch(index, period, end, choice.of(period.tariff_id), findings))
    return stretches


def _stretch(index: int, period: ChargingPeriod, end: datetime, tariff: Tariff, findings: list[Finding]) -> Stretch:
    given = _added_up(period)
    volumes: dict[LineKind, Fraction] = {}
    energy = _energy(given, index, findings)
    reserved = given.get(_D.RESERVATION_TIME)
    for kind, volume in (
        (LineKind.RESERVATION_TIME, reserved),
        (LineKind.ENERGY, energy),
        *((kind, given.get(name)) for name, kind in _VOLUMES),
    ):
        if volume:
            volumes[kind] = _fraction(volume)
    return Stretch(
        index,
        period.start_at,
        max(period.start_at, end),
        tariff,
        is_charging=energy is not None or _D.TIME in given or _D.PARKING_TIME in given,
        is_reserved=reserved is not None,
        volumes=volumes,
        load=_load(given, tariff, index, findings) if tariff.edges.measured else UNMEASURED,
    )


def _added_up(period: ChargingPeriod) -> dict[DimensionType, Number]:
    given: dict[DimensionType, Number] = {}
    for kind, volume in period.dimensions:
        given[kind] = _fraction(given[kind]) + _fraction(volume) if kind in given else volume
    return given


def _energy(given: dict[DimensionType, Number], index: int, findings: list[Finding]) -> Number | None:
    if _D.ENERGY in given or not (_D.ENERGY_IMPORT in given or _D.ENERGY_EXPORT in given):
        return given.get(_D.ENERGY)
    message = "ENERGY is not listed; import minus export was used."
    findings.append(Finding(Code.ENERGY_DERIVED, message, period=index, dimension=_D.ENERGY.value))
    return _fraction(given.get(_D.ENERGY_IMPORT, 0)) - _fraction(given.get(_D.ENERGY_EXPORT, 0))


def _load(given: dict[DimensionType, Number], tariff: Tariff, index: int, findings: list[Finding]) -> Load:
    values: dict[str, Fraction | None] = {}
    averages = set()
    for name, sources in _LOADS:
        source = next((source for source in sources if source in given), None)
        values[name] = None if source is None else _fraction(given[source])
        if source is sources[-1] and name in tariff.edges.measured:
            averages.add(source)
    for source in sorted(averages):
        message = "Neither a lowest nor a highest value is listed; the average was used."
        findings.append(Finding(Code.AVERAGE_USED, message, period=index, dimension=source.value))
    return Load(**values)


def _fraction(value: Number) -> Fraction:
    return value if isinstance(value, Fraction) else Fraction(*value.as_integer_ratio())
