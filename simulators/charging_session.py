"""One charging session as its operator sees it: a list of revisions, each one charging period longer than the last.

Time is counted in whole simulated seconds since the start and handed in, energy in whole watt-hours of the meter. A
period describes the stretch that has just passed; the next one begins where it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from simulators.charging_curve import WS_PER_WH, Battery
from simulators.ocpi_wire import instant

_WH = Decimal("0.001")  # kWh
_HOURS = Decimal("0.00000001")  # fine enough to give every whole second back


class Status(StrEnum):
    """`SessionStatus` of OCPI 2.2.1, as far as a station gets on its own."""

    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"


@dataclass(frozen=True)
class Revision:
    """The session after `elapsed_seconds`; its last `seconds` took `energy_wh`, or none at all when the car idled."""

    elapsed_seconds: int
    seconds: int
    energy_wh: int | None
    total_wh: int
    status: Status


class ChargingSession:
    """A car on a connector: charges, idles for `idle_seconds` once full, and ends by itself or when it is stopped.

    `facts` are the fields of the OCPI object that never change. The car that comes is not full. Revision 0 is the
    session just begun.
    """

    def __init__(
        self, facts: Mapping[str, object], started_at: datetime, battery: Battery, stored_ws: int, idle_seconds: int
    ) -> None:
        assert not battery.is_full(stored_ws), "a full car needs no charge point"
        self._facts = facts
        self._started_at = started_at
        self._battery = battery
        self._begun_ws = self._stored_ws = stored_ws
        self._idle_left = idle_seconds
        self.revisions = [Revision(0, 0, None, 0, Status.ACTIVE)]

    @property
    def id(self) -> str:
        """The operator's id of the session."""
        return str(self._facts["id"])

    @property
    def is_active(self) -> bool:
        """Whether more revisions may come."""
        return self.revisions[-1].status is Status.ACTIVE

    def advance(self, until: int) -> None:
        """Let time pass up to `until` seconds after the start; one revision, or two if the car got full meanwhile."""
        while self.is_active and self.revisions[-1].elapsed_seconds < until:
            self._step(until, unplugged=False)

    def stop(self, until: int) -> None:
        """End it `until` seconds after the start, and at least a second after what was told last."""
        until = max(until, self.revisions[-1].elapsed_seconds + 1)
        while self.is_active:
            self._step(until, unplugged=True)

    def whole(self, number: int) -> dict[str, object]:
        """The full `Session` object as of a revision: what a PUT carries."""
        periods = [self._period(revision) for revision in self.revisions[1 : number + 1]]
        begun = {**self._facts, "start_date_time": instant(self._started_at)}
        return {**begun, **self._state(number), "charging_periods": periods}

    def change(self, number: int) -> dict[str, object]:
        """What a revision added to the one before: what a PATCH carries."""
        return {**self._state(number), "charging_periods": [self._period(self.revisions[number])]}

    def summary(self) -> dict[str, object]:
        """Where it stands, in a few words."""
        names = ("id", "location_id", "evse_uid", "connector_id", "auth_method", "authorization_reference")
        stands = {"status": self.revisions[-1].status, "kwh": _kwh(self.revisions[-1].total_wh)}
        return {name: self._facts[name] for name in names if name in self._facts} | stands

    def _step(self, until: int, *, unplugged: bool) -> None:
        last = self.revisions[-1]
        left = until - last.elapsed_seconds
        energy_wh = None
        if self._battery.is_full(self._stored_ws):
            seconds = min(left, self._idle_left)
            self._idle_left -= seconds
        else:
            stretch = self._battery.charge(self._stored_ws, left)
            seconds = stretch.seconds
            self._stored_ws += stretch.energy_ws
            energy_wh = (self._stored_ws - self._begun_ws) // WS_PER_WH - last.total_wh
        over = self._battery.is_full(self._stored_ws) and not self._idle_left
        status = Status.COMPLETED if over or (unplugged and seconds == left) else Status.ACTIVE
        total_wh = last.total_wh + (energy_wh or 0)
        self.revisions.append(Revision(last.elapsed_seconds + seconds, seconds, energy_wh, total_wh, status))

    def _state(self, number: int) -> dict[str, object]:
        revision = self.revisions[number]
        at = self._at(revision.elapsed_seconds)
        ended = {"end_date_time": at} if revision.status is Status.COMPLETED else {}
        return {"kwh": _kwh(revision.total_wh), "status": revision.status, **ended, "last_updated": at}

    def _period(self, revision: Revision) -> dict[str, object]:
        hours = (Decimal(revision.seconds) / 3600).quantize(_HOURS)
        dimensions: list[dict[str, object]] = [{"type": "PARKING_TIME", "volume": hours}]
        if revision.energy_wh is not None:
            energy = {"type": "ENERGY", "volume": _kwh(revision.energy_wh)}
            dimensions = [energy, {"type": "TIME", "volume": hours}]
        return {"start_date_time": self._at(revision.elapsed_seconds - revision.seconds), "dimensions": dimensions}

    def _at(self, elapsed_seconds: int) -> str:
        return instant(self._started_at + timedelta(seconds=elapsed_seconds))


def _kwh(energy_wh: int) -> Decimal:
    return (Decimal(energy_wh) / 1000).quantize(_WH)
