"""How a battery charges: full power up to four fifths, then less and less until it is full.

All in whole seconds and whole joules, so that two stretches in a row end exactly where one long stretch ends.
"""

from __future__ import annotations

from dataclasses import dataclass

WS_PER_WH = 3600
"""Watt-seconds (joules) in a watt-hour."""

_KNEE_PER_MILLE = 800
_LAST_PER_MILLE = 100  # of full power, on the last joule


@dataclass(frozen=True)
class Stretch:
    """What went through the cable: watt-seconds, and the seconds it took."""

    energy_ws: int
    seconds: int


@dataclass(frozen=True)
class Battery:
    """A battery of `capacity_wh` on an outlet that gives at most `power_w`."""

    capacity_wh: int
    power_w: int

    def __post_init__(self) -> None:
        assert self.capacity_wh > 0, self
        assert self.power_w > 0, self

    @property
    def capacity_ws(self) -> int:
        """What a full battery holds."""
        return self.capacity_wh * WS_PER_WH

    def is_full(self, stored_ws: int) -> bool:
        """Whether nothing more goes in."""
        return stored_ws >= self.capacity_ws

    def power_at(self, stored_ws: int) -> int:
        """Watts drawn at this state of charge; never zero before the battery is full."""
        if self.is_full(stored_ws):
            return 0
        beyond_ws = max(0, stored_ws - self._knee_ws)
        lost_w = self.power_w * (1000 - _LAST_PER_MILLE) * beyond_ws // (1000 * (self.capacity_ws - self._knee_ws))
        return max(1, self.power_w - lost_w)

    def charge(self, stored_ws: int, seconds: int) -> Stretch:
        """What so many seconds put in; a shorter stretch if the battery is full before they are over."""
        steady = min(seconds, max(0, self._knee_ws - stored_ws) // self.power_w)
        now_ws, spent = stored_ws + steady * self.power_w, steady
        while spent < seconds and not self.is_full(now_ws):
            now_ws = min(now_ws + self.power_at(now_ws), self.capacity_ws)
            spent += 1
        return Stretch(now_ws - stored_ws, spent)

    @property
    def _knee_ws(self) -> int:
        return self.capacity_ws * _KNEE_PER_MILLE // 1000
