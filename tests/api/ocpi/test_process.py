"""The whole way over real sockets: the app's start, a charge point operator in a process of its own, the bill."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from sqlalchemy import select
from starlette.applications import Starlette

from api.ocpi import OcpiControl, routes
from domain.auditing import audit
from domain.clock import SystemClock
from domain.columns import table_of
from domain.database import Database
from domain.energy import Energy
from domain.money import Money
from domain.sessions import CDR, ChargingSession, ChargingSessionStatus, StopReason
from tests.api.serving import served
from tests.simulators.stations import COMMANDS, running
from tests.world import COMMANDS_TOKEN, CPO_TOKEN, KEYS, OPERATOR, SEED, World, build

DUE_SECONDS = 10
TOKENS = ("--token", CPO_TOKEN, "--commands-token", COMMANDS_TOKEN)


async def until(world: World, session: ChargingSession, seen: Callable[[ChargingSession], bool]) -> ChargingSession:
    deadline = time.monotonic() + DUE_SECONDS
    while time.monotonic() < deadline:
        now = await world.services.sessions.session(OPERATOR, session.id, world.driver.id)
        if now is not None and seen(now):
            return now
        await asyncio.sleep(0.02)
    raise AssertionError(f"too late: {session}")


async def test_started_by_the_app_pushed_by_the_charge_point_stopped_and_billed(
    database: Database, tmp_path: Path
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    control = OcpiControl(KEYS, url, SystemClock(), issuer="Tallywatt")
    with running(port, tmp_path / "log", *TOKENS, "--speed", "600") as station:
        commands = str(station.http.base_url).rstrip("/") + COMMANDS
        world = await build(database, control=control, commands_url=commands)
        app = Starlette(routes=routes(world.services, OPERATOR, KEYS, url))
        async with served(app, listener):
            quote = await world.services.quotes.quote(OPERATOR, world.driver.id, world.connectors[0], None)
            session = await world.services.charging.start(OPERATOR, world.driver.id, quote.id, "key-1", SEED)
            charging = await until(world, session, lambda now: now.energy_wh > 100 and now.readings > 2)
            assert charging.status is ChargingSessionStatus.CHARGING
            assert (await world.balance()).held >= Money(2000, "EUR")

            await world.services.charging.stop(OPERATOR, world.driver.id, session.id)
            billed = await until(world, session, lambda now: now.is_final)
            told = station.sessions("EVSE-1")
    await control.close()

    assert (billed.status, billed.stop_reason) == (ChargingSessionStatus.COMPLETED, StopReason.DRIVER)
    assert [(one["id"], one["status"]) for one in told] == [(billed.ocpi_id, "COMPLETED")]
    assert Decimal(str(told[0]["kwh"])) == Energy(billed.energy_wh).kwh
    async with database.snapshot() as reader:
        (cdr,) = await reader.list(CDR, select(table_of(CDR)))
        assert [verdict for verdict in await audit(reader) if verdict.broken is not None] == []
    assert cdr.gross == billed.gross
    balance = await world.balance()
    assert (balance.total, balance.held) == (Money(10000, "EUR") - billed.gross, Money(0, "EUR"))
