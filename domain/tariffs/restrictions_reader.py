"""`restrictions` of an element read from OCPI: the one object in which an unknown field is not ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal

from domain.tariffs.findings import Code, Finding
from domain.tariffs.reading import Flaw, Path, Reader, mapping, member, optional_text, refusal, sequence
from domain.tariffs.restrictions import UNRESTRICTED, WEEKDAYS, Reservation, Restrictions

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(:00)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LIMITS = (
    "min_kwh",
    "max_kwh",
    "min_current",
    "max_current",
    "min_power",
    "max_power",
    "min_duration",
    "max_duration",
)
_KNOWN = frozenset({"start_time", "end_time", "start_date", "end_date", "day_of_week", "reservation", *_LIMITS})


def parse_restrictions(reader: Reader, value: object, path: Path) -> Restrictions:
    """Restrictions as given; raises `InvalidInput` with the path of a malformed limit."""
    if value is None:
        return UNRESTRICTED
    raw = mapping(value, path)
    limits: dict[str, Decimal | None] = {name: reader.optional_number(raw, name, path) for name in _LIMITS}
    reservation, unknown = _reservation(raw, path)
    unknown = (*unknown, *sorted(str(name) for name in raw if name not in _KNOWN and raw[name] is not None))
    for name in unknown:
        message = f"The restriction {name} is not understood, so this element never applies."
        reader.findings.append(Finding(Code.UNKNOWN_RESTRICTION, message, path=(*path, name)))
    return Restrictions(
        start_time=_time(raw, "start_time", path),
        end_time=_time(raw, "end_time", path),
        start_date=_date(raw, "start_date", path),
        end_date=_date(raw, "end_date", path),
        day_of_week=_days(raw, path),
        reservation=reservation,
        unknown=unknown,
        min_kwh=limits["min_kwh"],
        max_kwh=limits["max_kwh"],
        min_current=limits["min_current"],
        max_current=limits["max_current"],
        min_power=limits["min_power"],
        max_power=limits["max_power"],
        min_duration=limits["min_duration"],
        max_duration=limits["max_duration"],
    )


def _reservation(raw: Mapping[str, object], path: Path) -> tuple[Reservation | None, tuple[str, ...]]:
    value = optional_text(raw, "reservation", path)
    if value is None:
        return None, ()
    return (Reservation(value), ()) if value in set(Reservation) else (None, ("reservation",))


def _time(raw: Mapping[str, object], name: str, path: Path) -> time | None:
    value = optional_text(raw, name, path)
    if value is None:
        return None
    match = _CLOCK.fullmatch(value)
    if match is None:
        raise refusal(Flaw.BAD_VALUE, (*path, name))
    return time(int(match[1]), int(match[2]))


def _date(raw: Mapping[str, object], name: str, path: Path) -> date | None:
    value = optional_text(raw, name, path)
    if value is None:
        return None
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise refusal(Flaw.BAD_VALUE, (*path, name))


def _days(raw: Mapping[str, object], path: Path) -> frozenset[str]:
    listed = raw.get("day_of_week")
    days = () if listed is None else sequence(listed, (*path, "day_of_week"))
    return frozenset(member(WEEKDAYS, day, (*path, "day_of_week", str(i))) for i, day in enumerate(days))
