"""What was charged: a Session or a CDR of OCPI, reduced to what a price depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from domain.tariffs.findings import Code, Finding
from domain.tariffs.reading import (
    Flaw,
    Path,
    Reader,
    is_usual,
    mapping,
    optional_instant,
    optional_text,
    parse_instant,
    refusal,
    required,
    sequence,
    some,
    text,
)
from domain.tariffs.scale import Number

__all__ = ["ChargingPeriod", "ChargingRecord", "DimensionType", "Evidence", "parse_instant", "parse_record"]

_AD_HOC_TOKEN, _AD_HOC_TARIFF = "AD_HOC_USER", "AD_HOC_PAYMENT"


class DimensionType(StrEnum):
    """`CdrDimensionType`: volumes in kWh and hours, loads in A and kW; others are known but never priced."""

    ENERGY = "ENERGY"
    ENERGY_IMPORT = "ENERGY_IMPORT"
    ENERGY_EXPORT = "ENERGY_EXPORT"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"
    RESERVATION_TIME = "RESERVATION_TIME"
    CURRENT = "CURRENT"
    MIN_CURRENT = "MIN_CURRENT"
    MAX_CURRENT = "MAX_CURRENT"
    POWER = "POWER"
    MIN_POWER = "MIN_POWER"
    MAX_POWER = "MAX_POWER"
    STATE_OF_CHARGE = "STATE_OF_CHARGE"

    __hash__ = str.__hash__  # an enum's own is slow, and pricing asks for it often


class Evidence(StrEnum):
    """Where a quantity comes from, the strongest first."""

    SIGNED = "signed"
    METERED = "metered"
    INTERPOLATED = "interpolated"
    DECLARED = "declared"


_TYPES: dict[str, DimensionType] = {kind.value: kind for kind in DimensionType}
_HOURS = frozenset({DimensionType.TIME, DimensionType.PARKING_TIME, DimensionType.RESERVATION_TIME})


class ChargingPeriod(NamedTuple):
    """A stretch of a session; it ends where the next one begins, the last with the record.

    `dimensions` are pairs of type and volume (kWh, hours, A, kW); a type that stands twice is added up. `states` are
    the changes of the charge point's state that made it a period of its own, as instant and state.
    """

    start_at: datetime
    dimensions: tuple[tuple[DimensionType, Number], ...]
    tariff_id: str | None = None
    evidence: Evidence = Evidence.DECLARED
    states: tuple[tuple[datetime, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ChargingRecord:
    """A session as facts. Instants are UTC.

    `country_code` and `party_id` name its owner, `tariff_type` what the driver prefers or how is paid (`TariffType`);
    both only help to choose among tariffs. `currency`, where given, is compared with the tariff's.
    """

    started_at: datetime
    ended_at: datetime
    periods: tuple[ChargingPeriod, ...]
    reservation_expired: bool = False
    country_code: str | None = None
    party_id: str | None = None
    tariff_type: str | None = None
    currency: str | None = None
    findings: tuple[Finding, ...] = ()


def parse_record(raw: Mapping[str, object], at: datetime | None = None) -> ChargingRecord:
    """Read a Session or a CDR of OCPI; a session without an end is read as ending `at`, else when last updated.

    Only `start_date_time`, `end_date_time` and `charging_periods` are needed. Raises `InvalidInput` with the path.
    """
    raw = mapping(raw, ())
    reader = Reader()
    periods = sequence(required(raw, "charging_periods", ()), ("charging_periods",))
    read = tuple([_period(reader, item, i) for i, item in enumerate(periods)])
    return ChargingRecord(
        started_at=parse_instant(text(raw, "start_date_time", ()), ("start_date_time",)),
        ended_at=_end(reader, raw, at),
        periods=read,
        reservation_expired=_expired(reader, raw, read),
        country_code=optional_text(raw, "country_code", ()),
        party_id=optional_text(raw, "party_id", ()),
        tariff_type=_tariff_type(raw),
        currency=optional_text(raw, "currency", ()),
        findings=tuple(reader.findings),
    )


def _period(reader: Reader, value: object, index: int) -> ChargingPeriod:
    path = ("charging_periods", index)
    raw = mapping(value, path)
    told, listed, tariff_id = raw.get("start_date_time"), raw.get("dimensions"), raw.get("tariff_id")
    if type(told) is str and type(listed) is list and (tariff_id is None or type(tariff_id) is str):
        plain = [_plain(item) for item in listed]
        if plain and None not in plain:
            return ChargingPeriod(parse_instant(told, (*path, "start_date_time")), tuple(plain), tariff_id)  # type: ignore[arg-type]  # none is None
    start_at = parse_instant(text(raw, "start_date_time", path), (*path, "start_date_time"))
    read = (_dimension(reader, item, (*path, "dimensions", i)) for i, item in enumerate(some(raw, "dimensions", path)))
    dimensions = tuple(dimension for dimension in read if dimension is not None)
    return ChargingPeriod(start_at, dimensions, optional_text(raw, "tariff_id", path))


def _plain(value: object) -> tuple[DimensionType, Number] | None:
    """A dimension as nearly all are; None asks to look closer."""
    if type(value) is not dict:
        return None
    name, volume = value.get("type"), value.get("volume")
    kind = _TYPES.get(name) if type(name) is str else None
    return (kind, volume) if kind is not None and is_usual(volume) and volume >= 0 else None


def _dimension(reader: Reader, value: object, path: Path) -> tuple[DimensionType, Number] | None:
    raw = mapping(value, path)
    kind = _TYPES.get(text(raw, "type", path))
    volume = reader.number(required(raw, "volume", path), path, "volume")
    if kind is None:
        name = text(raw, "type", path)
        reader.findings.append(Finding(Code.UNKNOWN_DIMENSION, f"{name[:40]} is not priced.", path=path))
        return None
    if kind in _HOURS and volume < 0:
        raise refusal(Flaw.BAD_VALUE, (*path, "volume"))
    return kind, volume


def _end(reader: Reader, raw: Mapping[str, object], at: datetime | None) -> datetime:
    ended_at = optional_instant(raw, "end_date_time", ())
    if ended_at is not None:
        return ended_at
    reader.findings.append(Finding(Code.SESSION_OPEN, "The session has not ended; it is priced as it stands."))
    name = "last_updated" if raw.get("last_updated") is not None else "end_date_time"
    return at or parse_instant(text(raw, name, ()), (name,))


def _expired(reader: Reader, raw: Mapping[str, object], periods: tuple[ChargingPeriod, ...]) -> bool:
    """As told; a CDR that does not tell, with reserved time and no charging at all, is read as expired."""
    told = raw.get("reservation_expired")
    if told is not None:
        if not isinstance(told, bool):
            raise refusal(Flaw.BAD_VALUE, ("reservation_expired",))
        return told
    # Of a Session and a CDR only a CDR has these.
    if "total_time" not in raw and "total_energy" not in raw and "cdr_location" not in raw:
        return False
    listed = {kind for period in periods for kind, _ in period.dimensions} & _PRICED
    if listed != {DimensionType.RESERVATION_TIME}:
        return False
    message = "Nothing was charged, so the reservation is read as expired."
    reader.findings.append(Finding(Code.RESERVATION_OUTCOME_INFERRED, message))
    return True


_PRICED = _HOURS | {DimensionType.ENERGY, DimensionType.ENERGY_IMPORT, DimensionType.ENERGY_EXPORT}


def _tariff_type(raw: Mapping[str, object]) -> str | None:
    token = raw.get("cdr_token")
    if token is None:
        return None
    kind = mapping(token, ("cdr_token",)).get("type")
    return _AD_HOC_TARIFF if kind == _AD_HOC_TOKEN else None
