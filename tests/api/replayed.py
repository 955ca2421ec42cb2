"""A gateway that listens over a store of its own, for recorded sessions to be told to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlmodel import SQLModel

from api.keys import Keys
from api.replay import Progress, ReplayOptions, ReplayReport, replay
from domain.auditing import audit
from domain.ids import OperatorId
from domain.revenue import Interval, Measure, Scope
from domain.services import Services
from domain.sessions import Reply, Start, Stop

FILE = Path(__file__).with_name("test_replay.csv")
HOME = OperatorId(UUID("01900000-0000-7000-8000-00000000aaaa"))
ZURICH = ZoneInfo("Europe/Zurich")
YEAR = Scope(HOME, "CHF", date(2019, 1, 1), date(2020, 1, 1))
KEYS = Keys(b"k" * 32)


class NoCommands:
    async def send(self, order: Start | Stop) -> Reply:
        del order
        return Reply.NOT_SENT


@dataclass(frozen=True)
class World:
    """A gateway that listens at `url` over a store."""

    services: Services
    url: str

    async def replay(
        self,
        path: Path = FILE,
        *,
        speed: Decimal | None = None,
        limit: int | None = None,
        lanes: int = 8,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ReplayReport:
        options = ReplayOptions(HOME, speed=speed, limit=limit, lanes=lanes, patience_seconds=5)
        return await replay(path, options, self.services, KEYS, self.url, progress)

    async def rows(self) -> dict[str, int]:
        tables = SQLModel.metadata.sorted_tables
        async with self.services.database.read() as reader:
            return {table.name: await reader.scalar(select(func.count()).select_from(table)) for table in tables}

    async def months(self) -> dict[str, tuple[int, int, int]]:
        slices = await self.services.revenue.timeline(YEAR, Interval.MONTH, ZURICH)
        return {
            f"{at.astimezone(ZURICH):%Y-%m}": (
                figures.sessions,
                figures.net_minor + figures.tax_minor,
                figures.net_minor,
            )
            for at, figures in slices
            if figures.sessions
        }

    async def stations(self) -> dict[str, tuple[int, int, int]]:
        ranked = await self.services.revenue.locations(YEAR, Measure.REVENUE, 100)
        places = await self.services.partners.locations_by_id(HOME, [place for place, _ in ranked])
        names = {place.id: place.ocpi_id for place in places}
        return {
            names[place]: (figures.sessions, figures.net_minor + figures.tax_minor, figures.energy_wh)
            for place, figures in ranked
        }

    async def audited(self) -> bool:
        async with self.services.database.snapshot() as reader:
            return all(verdict.broken is None for verdict in await audit(reader))
