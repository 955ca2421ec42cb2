"""A second, slow pricing that shares no code with the first: plain loops over the JSON, in fractions, as OCPI says it.

It knows periods with ENERGY, TIME, PARKING_TIME, RESERVATION_TIME and lowest and highest current and power; all
components, restrictions, steps, taxes and limits. `by_the_second` cuts a session into seconds, so that no edge can be
missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
SECOND = timedelta(seconds=1)
PARTS = {
    "ENERGY": "energy",
    "TIME": "time",
    "PARKING_TIME": "parking",
    "FLAT": "fixed",
    "RESERVED FLAT": "reservation",
    "RESERVED TIME": "reservation",
}


class Period(NamedTuple):
    """A stretch of a session in exact kWh, hours, amperes and kW."""

    start: datetime
    volumes: Mapping[str, Fraction]


class Line(NamedTuple):
    kind: str
    quantity: Fraction
    component: Mapping[str, Any]


class Verdict(NamedTuple):
    """Exact totals; texts as a receipt has them; which limit moved the total."""

    net: Fraction
    gross: Fraction
    total: tuple[str, str]
    parts: Mapping[str, tuple[Fraction, Fraction]]
    limit: str | None


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def periods_of(session: Mapping[str, Any]) -> list[Period]:
    return [
        Period(
            instant(period["start_date_time"]),
            {its["type"]: Fraction(its["volume"]) for its in period["dimensions"]},
        )
        for period in session["charging_periods"]
    ]


def by_the_second(start: datetime, stretches: Sequence[tuple[int, int]]) -> list[Period]:
    """Stretches of seconds and Wh as periods of one second each; one without energy is idle."""
    found, at = [], start
    for seconds, wh in stretches:
        for _ in range(seconds):
            time = "TIME" if wh else "PARKING_TIME"
            volumes = {"ENERGY": Fraction(wh, 1000 * seconds), time: Fraction(1, 3600)}
            found.append(Period(at, volumes))
            at += SECOND
    return found


def verdict(
    tariff: Mapping[str, Any],
    periods: Sequence[Period],
    began: datetime,
    zone: ZoneInfo,
    digits: int,
    *,
    expired: bool = False,
) -> Verdict:
    lines = _stepped(list(_lines(tariff, periods, began, zone, expired=expired)))
    net = gross = Fraction(0)
    parts: dict[str, tuple[Fraction, Fraction]] = {}
    for line in lines:
        without, with_tax = _taxed(line, tariff)
        net, gross = net + without, gross + with_tax
        before = parts.get(PARTS[line.kind], (Fraction(0), Fraction(0)))
        parts[PARTS[line.kind]] = before[0] + without, before[1] + with_tax
    is_charging = any({"ENERGY", "TIME", "PARKING_TIME"} & period.volumes.keys() for period in periods)
    limit = None
    raw = (net, gross)
    for name, pick in (("MIN", max), ("MAX", min)):
        bound = tariff.get(f"{name.lower()}_price")
        if bound is None or (name == "MIN" and not is_charging):
            continue
        before = (net, gross)
        least = Fraction(bound["before_taxes"] if "before_taxes" in bound else bound["excl_vat"])
        taxed = bound.get("after_taxes", bound.get("incl_vat"))
        net = pick(net, least)
        if taxed is not None:
            gross = pick(gross, Fraction(taxed))
        elif net != before[0]:
            gross = gross * net / before[0] if before[0] else net * (1 + _highest(tariff) / 100)
        if (net, gross) != before:
            limit = name
    if (net, gross) != raw:
        gross = max(net, gross)
    return Verdict(net, gross, (money(net, digits), money(gross, digits)), parts, limit)


def money(exact: Fraction, digits: int) -> str:
    coins = floor(abs(exact) * 10**digits + Fraction(1, 2))
    text = str(coins).rjust(digits + 1, "0")
    sign = "-" if exact < 0 and coins else ""
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def _highest(tariff: Mapping[str, Any]) -> Fraction:
    if tariff.get("tax_included") == "N/A":
        return Fraction(0)
    rates = [its.get("vat") for element in tariff["elements"] for its in element["price_components"]]
    return max((Fraction(rate) for rate in rates if rate is not None), default=Fraction(0))


def _taxed(line: Line, tariff: Mapping[str, Any]) -> tuple[Fraction, Fraction]:
    amount = line.quantity * Fraction(line.component["price"])
    factor = 1 + Fraction(line.component.get("vat") or 0) / 100
    included = tariff.get("tax_included") or "NO"
    if included == "YES":
        return amount / factor, amount
    return amount, amount if included == "N/A" else amount * factor


def _lines(
    tariff: Mapping[str, Any], periods: Sequence[Period], began: datetime, zone: ZoneInfo, *, expired: bool
) -> Iterator[Line]:
    energy, done = Fraction(0), set[str]()
    began = charging_began = min([began, *(period.start for period in periods)])
    seen_reserved = seen_charging = False
    for period in periods:
        volumes = period.volumes
        charges = bool({"ENERGY", "TIME", "PARKING_TIME"} & volumes.keys())
        if charges and not seen_charging:
            seen_charging = True
            charging_began = period.start if seen_reserved else began
        asked: list[tuple[str, str, Fraction, list[str | None], datetime]] = []
        if "RESERVATION_TIME" in volumes:
            seen_reserved = True
            kinds: list[str | None] = ["RESERVATION_EXPIRES", "RESERVATION"] if expired else ["RESERVATION"]
            asked.append(("RESERVED FLAT", "FLAT", Fraction(1), kinds, began))
            asked.append(("RESERVED TIME", "TIME", volumes["RESERVATION_TIME"], kinds, began))
        if charges:
            for kind in ("FLAT", "ENERGY", "TIME", "PARKING_TIME"):
                volume = Fraction(1) if kind == "FLAT" else volumes.get(kind, Fraction(0))
                asked.append((kind, kind, volume, [None], charging_began))
        for name, kind, volume, reservations, since in asked:
            if not volume or name in done:
                continue
            component = _first(tariff, kind, reservations, period, since, energy, zone)
            if component is not None:
                yield Line(name, volume, component)
                if kind == "FLAT":
                    done.add(name)
        energy += volumes.get("ENERGY", 0)


def _first(
    tariff: Mapping[str, Any],
    kind: str,
    reservations: list[str | None],
    period: Period,
    since: datetime,
    energy: Fraction,
    zone: ZoneInfo,
) -> Mapping[str, Any] | None:
    for reservation in reservations:
        for element in tariff["elements"]:
            its = element.get("restrictions") or {}
            if its.get("reservation") != reservation or not _holds(its, period, since, energy, zone):
                continue
            for component in element["price_components"]:
                if component["type"] == kind:
                    found: Mapping[str, Any] = component
                    return found
    return None


def _holds(its: Mapping[str, Any], period: Period, since: datetime, energy: Fraction, zone: ZoneInfo) -> bool:
    local = period.start.astimezone(zone)
    clock, day = f"{local:%H:%M}", local.date().isoformat()
    start, end = its.get("start_time") or "00:00", its.get("end_time") or "00:00"
    end = "24:00" if end == "00:00" else end
    is_wrapped = start > end and (clock >= start or clock < end)
    in_window = start <= clock < end or start == end or is_wrapped
    elapsed = Fraction((period.start - since) // timedelta(microseconds=1), 1_000_000)
    values: dict[str, tuple[Fraction | None, Fraction | None]] = {
        "kwh": (energy, energy),
        "duration": (elapsed, elapsed),
    }
    for name in ("current", "power"):
        low, high = (period.volumes.get(f"{side}_{name.upper()}") for side in ("MIN", "MAX"))
        values[name] = (high if low is None else low, low if high is None else high)
    bounds = []
    for name, (low, high) in values.items():
        if its.get(f"min_{name}") is not None:
            bounds.append(low is not None and low >= Fraction(its[f"min_{name}"]))
        if its.get(f"max_{name}") is not None:
            bounds.append(high is not None and high < Fraction(its[f"max_{name}"]))
    return (
        in_window
        and (its.get("start_date") or day) <= day
        and (its.get("end_date") is None or day < its["end_date"])
        and DAYS[local.weekday()] in (its.get("day_of_week") or DAYS)
        and all(bounds)
    )


def _stepped(lines: list[Line]) -> list[Line]:
    timed = "PARKING_TIME" if any(line.kind == "PARKING_TIME" for line in lines) else "TIME"
    for kind, per_unit in (("ENERGY", 1000), (timed, 3600), ("RESERVED TIME", 3600)):
        these = [line for line in lines if line.kind == kind]
        total = sum((line.quantity for line in these), Fraction(0))
        if total <= 0:
            continue
        size = these[-1].component.get("step_size", 1)
        if size <= 0:
            continue
        step = Fraction(size, per_unit)
        counted = total
        if per_unit == 3600:
            counted = sum((Fraction(floor(line.quantity * 3600 + Fraction(1, 2)), 3600) for line in these), Fraction(0))
        lines = [*lines, Line(kind, ceil(counted / step) * step - total, these[-1].component)]
    return lines
