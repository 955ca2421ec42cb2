"""What `tallywatt` does with a gateway, its store and its books: each command a few lines that call what is below."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Literal, ParamSpec

import cyclopts
import orjson
from cyclopts import Parameter, validators
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import migrations
from api import books, simulation, stand_in
from api import demo as demo_
from api import replay as replay_
from api.app import StaleStore, StoreAway, opened
from api.app import upgrade as upgrade_
from api.auth import RefusedInProduction, issue_development_token
from api.demo_world import seed_operator
from api.logs import configure
from api.onboarding import BadOnboarding, read
from api.onboarding import onboard as onboard_
from api.own_gateway import gateway_at
from api.serving import PortTaken, bound, serve, work
from api.serving import run as run_process
from api.settings import BadSettings, Settings, setting_name
from api.tabs import Tabs
from resolvers import schema as schema_
from resolvers.principal import Role

db = cyclopts.App(name="db", help="The store.")
schema = cyclopts.App(name="schema", help="The GraphQL contract.")
out = Console()
err = Console(stderr=True)

_REFUSALS = (
    BadSettings,
    StaleStore,
    StoreAway,
    PortTaken,
    books.CannotBeDone,
    BadOnboarding,
    RefusedInProduction,
    demo_.DemoFailed,
    replay_.BadFile,
    replay_.GatewayAway,
    simulation.BadDraft,
    migrations.UnknownRevision,
)


_P = ParamSpec("_P")


def refusing(command: Callable[_P, None]) -> Callable[_P, None]:
    """A command of which everything that it refuses is one line, and exit code 1."""

    @functools.wraps(command)
    def refused(*words: _P.args, **options: _P.kwargs) -> None:
        try:
            command(*words, **options)
        except _REFUSALS as refusal:
            err.print(f"tallywatt: {refusal}", style="bold red", highlight=False, soft_wrap=True)
            sys.exit(1)

    return refused


@refusing
def demo(
    *,
    charge_points_port: Annotated[
        int,
        Parameter(env_var="TALLYWATT_DEMO_CHARGE_POINTS_PORT", validator=validators.Number(gte=1, lte=65535)),
    ] = 8020,
) -> None:
    """Show everything on this machine: gateway, payment stand-in, charge points, and a session that charges.

    Parameters
    ----------
    charge_points_port
        Where the simulated charge points listen; the stand-in listens at ADYEN_BASE_URL.

    """
    settings = Settings.from_environment()
    demo_.prepare(settings)
    asyncio.run(demo_.Demo(settings, charge_points_port, out).run())


@refusing
def serve_() -> None:
    """Run the gateway; without Redis it is the only process and does the worker's chores, too."""
    settings = _configured()
    with bound(settings.bind_host, settings.bind_port) as line, bound(*_host_and_port(settings.health_bind)) as health:

        async def run() -> None:
            async with opened(settings) as house:
                tabs = Tabs(settings, house.clock) if settings.graphiql else ()
                await serve(house, tabs, line, health)

        run_process(run())


@refusing
def worker() -> None:
    """Push unfinished rows on, beside gateways that share a Redis."""
    settings = _configured()
    with bound(*_host_and_port(settings.health_bind)) as health:

        async def run() -> None:
            async with opened(settings) as house:
                await work(house, health)

        run_process(run())


@refusing
def adyen_standin(*words: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> None:
    """Run the stand-in for Adyen, at ADYEN_BASE_URL; it takes no real money.

    Parameters
    ----------
    words
        Its own options, behind `--`; they outrank the settings. `tallywatt adyen-standin -- --help` lists them.

    """
    stand_in.become(Settings.from_environment(), words)


@refusing
def token(
    *, role: Literal["driver", "partner", "support", "finance", "operator"], subject: str, minutes: int = 60
) -> None:
    """Print a development token; refused in production."""
    settings = Settings.from_environment()
    lifetime = timedelta(minutes=minutes)
    try:
        out.print(issue_development_token(settings, Role(role.upper()), subject, lifetime), soft_wrap=True)
    except ValueError as error:
        raise RefusedInProduction(str(error)) from None


@refusing
def replay(
    file: Path,
    *,
    speed: str = "max",
    limit: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    url: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Push recorded sessions as their charge point operator would: session, meter values, final CDR.

    Parameters
    ----------
    file
        CSV of recorded sessions.
    speed
        `max`, or how many times faster than they were recorded.
    limit
        The first rows only.
    url
        The gateway to push to; one is started for the run if none answers there.
    json
        Print the report as JSON.

    """
    settings = Settings.from_environment()
    upgrade_(settings)
    options = replay_.ReplayOptions(operator=settings.operator_id, speed=_speed(speed), limit=limit)

    async def run() -> replay_.ReplayReport:
        async with opened(settings) as house, gateway_at(url, settings) as gateway:
            await seed_operator(house.services, house.keys, settings)
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns, console=err, transient=True) as bar:
                task = bar.add_task("replay", total=None)

                def show(now: replay_.Progress) -> None:
                    bar.update(task, completed=now.done, total=now.total, description=f"refused {now.refused}")

                return await replay_.replay(file, options, house.services, house.keys, gateway, show)

    report = asyncio.run(run())
    text = orjson.dumps(report.as_json()).decode() if json else replay_.report_text(report)
    out.print(text, highlight=False, markup=False, soft_wrap=True)


@refusing
def onboard(file: Path) -> None:
    """Register the operator, its parties, tariffs and locations from a JSON file; told again nothing changes."""
    settings = Settings.from_environment()
    told = read(file)

    async def run() -> None:
        async with opened(settings) as house:
            await onboard_(house.services, house.keys, settings.operator_id, told)

    asyncio.run(run())


audit, unfreeze, grant = refusing(books.audit), refusing(books.unfreeze), refusing(books.grant)
simulate = refusing(simulation.simulate)


@refusing
def settings() -> None:
    """Print every setting and its value here; secrets only whether they are set."""
    now = Settings.from_environment()
    for field in Settings.model_fields:
        out.print(f"{setting_name(field)}={getattr(now, field)}", highlight=False, markup=False, soft_wrap=True)


@db.command
@refusing
def upgrade() -> None:
    """Bring the store to the newest revision."""
    upgrade_(Settings.from_environment())


@schema.command
@refusing
def export() -> None:
    """Print the schema."""
    sys.stdout.write(schema_.build().as_str() + "\n")


def _configured() -> Settings:
    settings = Settings.from_environment()
    configure(settings.log_format)
    return settings


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _speed(text: str) -> Decimal | None:
    if text == "max":
        return None
    try:
        speed = Decimal(text)
    except InvalidOperation:
        speed = Decimal(0)
    if not speed.is_finite() or speed <= 0:
        raise replay_.BadFile("--speed is max, or a number above 0")
    return speed
