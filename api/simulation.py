"""`tallywatt simulate`: a draft tariff is read, and what it would change is told as JSON or as tables."""

from __future__ import annotations

import asyncio
import json as json_
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.app import opened
from api.settings import Settings
from domain.errors import InvalidInput, NotFound
from domain.ids import OperatorId
from domain.money import Money
from domain.revenue import Scope, Simulation, Tally
from domain.services import Services
from domain.tariffs import Tariff, parse_tariff

Report = dict[str, Any]


class BadDraft(Exception):
    """What is wrong with the draft, or with what it is to be tried on."""


def read_draft(path: Path) -> Tariff:
    """A Tariff object of OCPI. Raises BadDraft."""
    try:
        return parse_tariff(json_.loads(path.read_text("utf-8"), parse_float=Decimal))
    except InvalidInput as refusal:
        raise BadDraft(f"{path}: {'.'.join(refusal.path)}: {refusal.reason}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise BadDraft(f"{path} cannot be read: {error}") from None


def simulate(
    *,
    tariff: Path,
    from_: Annotated[date | None, Parameter(name="--from")] = None,
    before: date | None = None,
    location: tuple[str, ...] = (),
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Price stored sessions in its currency again under a draft tariff: revenue, winners, losers. Writes nothing.

    Parameters
    ----------
    tariff
        A Tariff object of OCPI in a JSON file.
    from_
        Sessions started on this day or later, in the operator's time zone.
    before
        Sessions started before this day.
    location
        OCPI id of a location; may be given again, and all count when it is not given.
    json
        Print the outcome as JSON, money in minor units.

    """
    settings = Settings.from_environment()
    draft, out = read_draft(tariff), Console()

    async def run() -> Report:
        columns = (TextColumn("{task.completed} sessions"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("simulate", total=None)

            def show(now: Simulation) -> None:
                bar.update(task, completed=now.total.sessions)

            async with opened(settings) as house:
                return await reported(house.services, settings.operator_id, draft, (from_, before), location, show)

    report = asyncio.run(run())
    if json:
        out.print(orjson.dumps(report).decode(), highlight=False, markup=False, soft_wrap=True)
    else:
        out.print(*tables(report), sep="\n")


async def reported(
    services: Services,
    operator: OperatorId,
    draft: Tariff,
    days: tuple[date | None, date | None],
    locations: Sequence[str],
    show: Callable[[Simulation], None],
) -> Report:
    """The outcome as JSON, money in minor units. Raises BadDraft."""
    try:
        places = await services.simulation.named(operator, locations) if locations else None
        scope = Scope(operator, draft.currency, days[0] or date.min, days[1] or date.max, places)
    except NotFound as refusal:
        raise BadDraft(str(refusal)) from None
    found = await services.simulation.simulate(scope, draft, show)
    rows = await services.partners.locations_by_id(operator, list(found.locations))
    names = {row.id: row.name for row in rows}
    ranked = sorted(found.locations.items(), key=lambda item: (-abs(item[1].difference), str(item[0])))
    return {
        "tariff": draft.id,
        "currency": draft.currency,
        **_figures(found.total),
        "unpriced_sessions": found.unpriced,
        "drivers": {
            "total": found.drivers,
            "winners": found.winning_drivers,
            "losers": found.losing_drivers,
            "best_off": [{"driver": str(driver), "difference": -much} for much, driver in found.best_off],
            "worst_off": [{"driver": str(driver), "difference": much} for much, driver in found.worst_off],
        },
        "locations": [{"location": names[place], **_figures(tally)} for place, tally in ranked],
        "hours": [{"hour": hour, **_figures(tally)} for hour, tally in enumerate(found.hours) if tally.sessions],
    }


def _figures(tally: Tally) -> Report:
    return {
        "sessions": tally.sessions,
        "winners": tally.winners,
        "losers": tally.losers,
        "billed": {"net": tally.billed_net, "gross": tally.billed_gross},
        "draft": {"net": tally.draft_net, "gross": tally.draft_gross},
        "difference": {"net": tally.draft_net - tally.billed_net, "gross": tally.difference},
    }


def tables(report: Report) -> Iterator[Table]:
    """The same for people, tax included."""
    currency = report["currency"]
    whole = _table(f"{report['tariff']} on {report['sessions']} sessions, {currency} with tax", "")
    _row(whole, "all", report, currency)
    yield whole
    for title, name, rows in (
        ("By location, largest change first", "location", report["locations"]),
        ("By hour of the start, local time", "hour", report["hours"]),
    ):
        table = _table(title, name)
        for row in rows:
            _row(table, str(row[name]), row, currency)
        yield table
    drivers = report["drivers"]
    told = f"{drivers['total']} drivers: {drivers['winners']} pay less, {drivers['losers']} pay more"
    table = Table("driver", "difference", title=told)
    for row in (*drivers["best_off"], *drivers["worst_off"]):
        table.add_row(row["driver"], _money(row["difference"], currency))
    yield table


def _table(title: str, first: str) -> Table:
    return Table(first, "sessions", "cheaper", "dearer", "billed", "draft", "difference", title=title)


def _row(table: Table, name: str, row: Mapping[str, Any], currency: str) -> None:
    counts = (str(row[count]) for count in ("sessions", "winners", "losers"))
    amounts = (_money(row[amount]["gross"], currency) for amount in ("billed", "draft", "difference"))
    table.add_row(name, *counts, *amounts)


def _money(minor: int, currency: str) -> str:
    return f"{Money(minor, currency).major:f}"
