"""Real bills priced again: 3,813 sessions of AIL, Lugano, January to October 2017. See docs/findings/ail-2017.md.

    .venv/bin/python -m tests.soak.ail_2017 DIRECTORY

The directory holds `sessions.csv` and `stations.csv` of the data set. Nothing of it is part of this project.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from domain.money import Money
from domain.tariffs import (
    DEFAULT_POLICY,
    ChargingPeriod,
    ChargingRecord,
    DimensionType,
    RoundingPoint,
    RoundingPolicy,
    Tariff,
    parse_tariff,
    price,
)

ZURICH = ZoneInfo("Europe/Zurich")
BY_LINE = replace(DEFAULT_POLICY, point=RoundingPoint.LINE)
HALF = Decimal("0.005")
CHARGING, AFTERWARDS = Decimal("0.50"), Decimal("2.00")
"""CHF an hour, inferred from the bills: the same at every station, whatever its notice says."""
_NOTICE = re.compile(r"durante la ricarica: ([\d.]+) CHF/h.*fine della ricarica: ([\d.]+) CHF/h")


@dataclass(frozen=True)
class Row:
    """A session and what was charged for it: parts in CHF with tax, all of them empty where nothing was."""

    started_at: datetime
    seconds: int
    wh: int
    rate: Decimal
    energy_fee: Decimal
    parking_fee: Decimal
    penalty: Decimal
    debit: Decimal | None
    notice: str

    @classmethod
    def of(cls, raw: Mapping[str, str], notices: Mapping[str, str]) -> Row:
        def number(name: str) -> Decimal:
            return Decimal(raw[name] or 0)

        return cls(
            started_at=datetime.fromisoformat(raw["started_at_local"]).replace(tzinfo=ZURICH).astimezone(UTC),
            seconds=int(raw["duration_seconds"]),
            wh=int(raw["energy_wh"]),
            rate=number("energy_rate_per_kwh"),
            energy_fee=number("energy_fee"),
            parking_fee=number("parking_fee"),
            penalty=number("penalty"),
            debit=Decimal(raw["debit"]) if raw["debit"] else None,
            notice=notices.get(raw["station_id"], ""),
        )

    @property
    def billed(self) -> Money:
        return Money.rounded(self.debit or Decimal(0), "CHF")

    @property
    def charging(self) -> Fraction:
        """Seconds until charging ended. Only a bill with a penalty tells, by its fee for the time before."""
        if not self.penalty:
            return Fraction(self.seconds)
        return min(Fraction(self.seconds), Fraction(self.parking_fee) / Fraction(CHARGING) * 3600)

    def record(self) -> ChargingRecord:
        charging = self.charging
        ended_at = self.started_at + timedelta(seconds=self.seconds)
        energy = (DimensionType.ENERGY, Decimal(self.wh).scaleb(-3))
        periods = [ChargingPeriod(self.started_at, (energy, (DimensionType.TIME, charging / 3600)))]
        if charging < self.seconds:
            parked = ((DimensionType.PARKING_TIME, (self.seconds - charging) / 3600),)
            periods.append(ChargingPeriod(self.started_at + timedelta(seconds=int(charging)), parked))
        return ChargingRecord(self.started_at, ended_at, tuple(periods))


@cache
def tariff(rate: Decimal, charging: Decimal, afterwards: Decimal, hours: tuple[str, str] | None = None) -> Tariff:
    """CHF with tax: a kWh, an hour of charging, an hour afterwards, the hours perhaps only at some time of day."""
    times = [
        {"type": "TIME", "price": charging, "step_size": 1},
        {"type": "PARKING_TIME", "price": afterwards, "step_size": 1},
    ]
    by_time = {"price_components": times} | (
        {"restrictions": dict(zip(("start_time", "end_time"), hours, strict=True))} if hours else {}
    )
    energy = {"price_components": [{"type": "ENERGY", "price": rate, "step_size": 1}]}
    return parse_tariff({"id": "AIL", "currency": "CHF", "tax_included": "N/A", "elements": [energy, by_time]})


def as_noticed(row: Row) -> Tariff | None:
    """The tariff on the notice of the station; None where there is none, or charging is free."""
    found = _NOTICE.search(row.notice)
    if found is None:
        return None
    hours = ("07:00", "22:00") if "07:00 - 22:00" in row.notice else None
    return tariff(row.rate, Decimal(found[1]), Decimal(found[2]), hours)


def reproduced(row: Row, told: Tariff, policy: RoundingPolicy = DEFAULT_POLICY) -> bool:
    return price([told], row.record(), ZURICH, policy).gross == row.billed


def kind_of(row: Row) -> str:
    """Which reading of the tariff gives the bill, the plainest first."""
    told = tariff(row.rate, CHARGING, AFTERWARDS)
    if reproduced(row, told):
        return "to the cent, rounded once"
    if reproduced(row, told, BY_LINE):
        return "to the cent, if every line is rounded"
    least, most = (
        price([tariff(row.rate + by, CHARGING, AFTERWARDS)], row.record(), ZURICH).gross for by in (-HALF, HALF)
    )
    if least <= row.billed <= most:
        return "by an energy price that the file shows rounded to CHF 0.01"
    if min(abs((row.billed - bound).minor) for bound in (least, most)) <= 1:
        return "the same, but for a cent"
    if not row.parking_fee:
        return "time was not charged"
    return "otherwise"


def main(directory: Path) -> None:
    with (directory / "stations.csv").open(encoding="utf-8") as file:
        notices = {raw["station_id"]: raw["tariff_text_it"] for raw in csv.DictReader(file)}
    with (directory / "sessions.csv").open(encoding="utf-8") as file:
        rows = [Row.of(raw, notices) for raw in csv.DictReader(file)]
    charged = [row for row in rows if row.debit is not None]
    print(f"{len(rows)} sessions, {len(charged)} of them charged")  # noqa: T201
    noticed = [(row, told) for row in charged if (told := as_noticed(row)) is not None]
    exact = sum(reproduced(row, told) for row, told in noticed)
    print(f"by the notice of the station: {exact} of {len(noticed)} to the cent")  # noqa: T201
    for kind, count in Counter(kind_of(row) for row in charged).most_common():
        print(f"{count:5} {kind}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
