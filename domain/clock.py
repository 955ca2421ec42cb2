"""Where instants come from. Nothing else in the domain knows what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the present instant: aware, UTC, whole milliseconds (what is sent equals what is stored)."""

    def now(self) -> datetime:
        """The present instant."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present instant, cut to milliseconds."""
        instant = datetime.now(UTC)
        return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


class ManualClock:
    """A clock that stands still until it is moved; for tests, seeds and simulations."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        """The instant it was set to."""
        return self._instant

    def advance(self, span: timedelta) -> None:
        """Move forward (or back)."""
        self._instant += span
