"""What was charged: a Session or a CDR of OCPI, reduced to what a price depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.tariffs.findings import Code, Finding
from domain.tariffs.reading import (
    Flaw,
    Number,
    Path,
    Reader,
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

__all__ = ["ChargingPeriod", "ChargingRecord", "DimensionType", "parse_instant", "parse_record"]

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


_HOURS = frozenset({DimensionType.TIME, DimensionType.PARKING_TIME, DimensionType.RESERVATION_TIME})


@dataclass(frozen=True, slots=True)
class ChargingPeriod:
    """A stretch of a session; it ends where the next one begins, the last with the record.

    `dimensions` are pairs of type and volume (kWh, hours, A, kW); a type that stands twice is added up.
    """

    start_at: datetime
    dimensions: tuple[tuple[DimensionType, Number], ...]
    tariff_id: str | None = None


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
    listed = raw.get("charging_periods")
    periods = () if listed is None else sequence(listed, ("charging_periods",))
    read = tuple(_period(reader, item, ("charging_periods", str(i))) for i, item in enumerate(periods))
    return ChargingRecord(
        started_at=_required_instant(raw, "start_date_time", ()),
        ended_at=_end(reader, raw, at),
        periods=read,
        reservation_expired=_expired(reader, raw, read),
        country_code=optional_text(raw, "country_code", ()),
        party_id=optional_text(raw, "party_id", ()),
        tariff_type=_tariff_type(raw),
        currency=optional_text(raw, "currency", ()),
        findings=tuple(reader.findings),
    )


def _period(reader: Reader, value: object, path: Path) -> ChargingPeriod:
    raw = mapping(value, path)
    dimensions = enumerate(some(raw, "dimensions", path))
    read = (_dimension(reader, item, (*path, "dimensions", str(i))) for i, item in dimensions)
    return ChargingPeriod(
        _required_instant(raw, "start_date_time", path),
        tuple(dimension for dimension in read if dimension is not None),
        optional_text(raw, "tariff_id", path),
    )


def _dimension(reader: Reader, value: object, path: Path) -> tuple[DimensionType, Number] | None:
    raw = mapping(value, path)
    name = text(raw, "type", path)
    volume = reader.number(required(raw, "volume", path), (*path, "volume"))
    try:
        kind = DimensionType(name)
    except ValueError:
        reader.findings.append(Finding(Code.UNKNOWN_DIMENSION, f"{name[:40]} is not priced.", path=path))
        return None
    if volume < 0 and kind in _HOURS:
        raise refusal(Flaw.BAD_VALUE, (*path, "volume"))
    return kind, volume


def _end(reader: Reader, raw: Mapping[str, object], at: datetime | None) -> datetime:
    ended_at = optional_instant(raw, "end_date_time", ())
    if ended_at is not None:
        return ended_at
    reader.findings.append(Finding(Code.SESSION_OPEN, "The session has not ended; it is priced as it stands."))
    return at or _required_instant(raw, "last_updated" if "last_updated" in raw else "end_date_time", ())


def _expired(reader: Reader, raw: Mapping[str, object], periods: tuple[ChargingPeriod, ...]) -> bool:
    """As told; a CDR that does not tell, with reserved time and no charging at all, is read as expired."""
    told = raw.get("reservation_expired")
    if told is not None:
        if not isinstance(told, bool):
            raise refusal(Flaw.BAD_VALUE, ("reservation_expired",))
        return told
    listed = {kind for period in periods for kind, _ in period.dimensions} & _PRICED
    # Of the two only a CDR has a total_time.
    if "total_time" not in raw or listed != {DimensionType.RESERVATION_TIME}:
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


def _required_instant(raw: Mapping[str, object], name: str, path: Path) -> datetime:
    return parse_instant(text(raw, name, path), (*path, name))
