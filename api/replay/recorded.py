"""One recorded session as exact values, read from the cells of its row. Pure.

Instants are made of a wall clock in the stations' zone and a length in seconds; the length is what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.energy import Energy
from domain.money import Money

CURRENCY = "CHF"
ZONE = ZoneInfo("Europe/Zurich")
COLUMNS = (
    "charge_log_id",
    "user_id",
    "started_at_local",
    "ended_at_local",
    "duration_seconds",
    "energy_wh",
    "debit",
    "energy_fee",
    "parking_fee",
    "penalty",
    "energy_rate_per_kwh",
    "currency",
    "started_by",
    "station_id",
    "station_name",
    "town",
    "plug",
    "plug_type",
)
"""The columns that a session is read from."""

_CENT = Money(1, CURRENCY)
_MINUTES = timedelta(minutes=2)
_ID = re.compile(r"[A-Za-z0-9._~-]{1,20}")
_WALL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,9}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,6})?", re.ASCII)
_LONGEST_TEXT = 120


class BadRow(Exception):
    """A row that is no session; the reason names the column and quotes no cell."""

    def __init__(self, column: str, flaw: str) -> None:
        self.reason = f"{column} {flaw}"
        super().__init__(self.reason)


class Quirk(StrEnum):
    """What is odd about a session that is carried all the same."""

    NO_AMOUNT = "no amount: kept as INVALID, not billed"
    NO_USER = "no user: told under the token ANONYMOUS"
    NO_ENERGY = "no energy"
    PART_BELOW_ZERO = "energy fee of minus a cent: left to the rounding of the bill"
    UNKNOWN_PLUG = "unknown type of plug"


class Plug(StrEnum):
    """Types of plug as recorded, without the mode."""

    TYPE_2 = "Type2"
    TYPE_1 = "Type1"
    T23 = "T23"
    UNKNOWN = "Unknown"


_PLUGS = {"Mode3_Type2_Plug": Plug.TYPE_2, "Mode3_Type1_Plug": Plug.TYPE_1, "Mode1_T23": Plug.T23}


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was: a station, one of its charging places, and the type of plug used there."""

    station: str
    name: str
    town: str
    outlet: str
    plug: Plug


@dataclass(frozen=True, slots=True)
class Bill:
    """What the driver was charged, tax included, and the parts of it; None where a part was not charged."""

    total: Money
    energy: Money | None
    time: Money | None
    parking: Money | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded session; `seconds` connected, `rate` in CHF per kWh with tax, no bill if nothing was charged."""

    line: int
    id: str
    user: str | None
    started_by: str
    started_at: datetime
    seconds: int
    energy: Energy
    rate: Decimal
    bill: Bill | None
    place: Place
    quirks: tuple[Quirk, ...]

    @property
    def ended_at(self) -> datetime:
        """When the car was unplugged."""
        return self.started_at + timedelta(seconds=self.seconds)


def recorded(line: int, cells: Mapping[str, str]) -> Recorded:
    """The session of a row whose first line is `line`. Raises BadRow."""
    if cells["currency"] != CURRENCY:
        raise BadRow("currency", f"is not {CURRENCY}")
    seconds, energy = _whole(cells, "duration_seconds"), Energy(_whole(cells, "energy_wh"))
    row_id, user, place = _id(cells, "charge_log_id"), _user(cells), _place(cells)
    bill, rate, is_below_zero = _bill(cells)
    odd = {
        Quirk.NO_AMOUNT: bill is None,
        Quirk.NO_USER: user is None,
        Quirk.NO_ENERGY: not energy.wh,
        Quirk.PART_BELOW_ZERO: is_below_zero,
        Quirk.UNKNOWN_PLUG: place.plug is Plug.UNKNOWN,
    }
    return Recorded(
        line=line,
        id=row_id,
        user=user,
        started_by=cells["started_by"],
        started_at=_started(cells, timedelta(seconds=seconds)),
        seconds=seconds,
        energy=energy,
        rate=rate,
        bill=bill,
        place=place,
        quirks=tuple(quirk for quirk, applies in odd.items() if applies),
    )


def _user(cells: Mapping[str, str]) -> str | None:
    return _id(cells, "user_id") if cells["user_id"] else None


def _place(cells: Mapping[str, str]) -> Place:
    outlet = re.sub(r"[^A-Z0-9]+", "-", cells["plug"].upper()).strip("-")
    if not 1 <= len(outlet) <= 15:  # noqa: PLR2004  with the station's id it is the uid of an EVSE
        raise BadRow("plug", "is not a name of 1 to 15 characters")
    station = _id(cells, "station_id")
    name = _text(cells, "station_name") or station
    return Place(station, name, _text(cells, "town") or name, outlet, _PLUGS.get(cells["plug_type"], Plug.UNKNOWN))


def _bill(cells: Mapping[str, str]) -> tuple[Bill | None, Decimal, bool]:
    """The bill, the rate per kWh, and whether the energy is a cent below zero, as roundings of the source leave it."""
    rate = _number(cells, "energy_rate_per_kwh") or Decimal(0)
    energy, time, parking = (_money(cells, column) for column in ("energy_fee", "parking_fee", "penalty"))
    total = _money(cells, "debit")
    for column, amount in (("debit", total), ("parking_fee", time), ("penalty", parking)):
        if amount is not None and amount.minor < 0:
            raise BadRow(column, "is below zero")
    is_below_zero = energy is not None and energy.minor < 0
    if energy is not None and energy < -_CENT:
        raise BadRow("energy_fee", "is below zero")
    if rate < 0 and not is_below_zero:
        raise BadRow("energy_rate_per_kwh", "is below zero")
    kept, rate = (None, Decimal(0)) if is_below_zero else (energy, abs(rate))
    return None if total is None else Bill(total, kept, time, parking), rate, is_below_zero


def _started(cells: Mapping[str, str], length: timedelta) -> datetime:
    """The instant it started: of an hour that the clocks showed twice, the one that its end agrees with."""
    start, end = _wall(cells, "started_at_local"), _wall(cells, "ended_at_local")
    found = [start.replace(tzinfo=ZONE, fold=fold).astimezone(UTC) for fold in (0, 1)]
    found = [at for at in found if _shown(at) == start]
    if not found:
        raise BadRow("started_at_local", "was shown by no clock there")
    at = min(found, key=lambda at: abs(_shown(at + length) - end))
    if abs(_shown(at + length) - end) <= _MINUTES:
        return at
    raise BadRow("ended_at_local", "is before started_at_local" if end < start else "contradicts duration_seconds")


def _shown(at: datetime) -> datetime:
    return at.astimezone(ZONE).replace(tzinfo=None, fold=0)


def _wall(cells: Mapping[str, str], column: str) -> datetime:
    if not _WALL.fullmatch(cells[column]):
        raise BadRow(column, "is not a date and time")
    try:
        wall = datetime.fromisoformat(cells[column])
    except ValueError:
        raise BadRow(column, "is not a date and time") from None
    if not 2000 <= wall.year < 2100:  # noqa: PLR2004
        raise BadRow(column, "is not of this century")
    return wall


def _id(cells: Mapping[str, str], column: str) -> str:
    if not cells[column]:
        raise BadRow(column, "is missing")
    if not _ID.fullmatch(cells[column]):
        raise BadRow(column, "is not an id")
    return cells[column]


def _text(cells: Mapping[str, str], column: str) -> str:
    if len(cells[column]) > _LONGEST_TEXT or not cells[column].isprintable():
        raise BadRow(column, "is too long or cannot be printed")
    return cells[column]


def _whole(cells: Mapping[str, str], column: str) -> int:
    if not cells[column]:
        raise BadRow(column, "is missing")
    if not _WHOLE.fullmatch(cells[column]):
        raise BadRow(column, "is not a whole number")
    number = int(cells[column])
    if number < 0:
        raise BadRow(column, "is below zero")
    return number


def _number(cells: Mapping[str, str], column: str) -> Decimal | None:
    if not cells[column]:
        return None
    if not _NUMBER.fullmatch(cells[column]):
        raise BadRow(column, "is not a number")
    return Decimal(cells[column])


def _money(cells: Mapping[str, str], column: str) -> Money | None:
    number = _number(cells, column)
    if number is None:
        return None
    money = Money.rounded(number, CURRENCY)
    if money.major != number:
        raise BadRow(column, "is finer than a cent")
    return money
