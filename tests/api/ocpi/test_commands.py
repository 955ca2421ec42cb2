"""Results of our commands: each concludes its order once, and only the party that was asked can tell it."""

from __future__ import annotations

import uuid

from domain.database import Database
from domain.money import Money
from domain.sessions import (
    ChargerCommand,
    ChargingSession,
    ChargingSessionStatus,
    CommandState,
    Start,
    Stop,
    StopReason,
)
from tests.api.ocpi.partner import SENDER, Partner, change, everything
from tests.world import OPERATOR, SEED, ScriptedControl, World


async def started(world: World) -> tuple[ChargingSession, Start]:
    """A session that the driver's app has started; its operator has not been heard of yet."""
    quote = await world.services.quotes.quote(OPERATOR, world.driver.id, world.connectors[0], None)
    session = await world.services.charging.start(OPERATOR, world.driver.id, quote.id, "key-1", SEED)
    order = orders(world)[-1]
    assert isinstance(order, Start)
    return session, order


def orders(world: World) -> list[Start | Stop]:
    assert isinstance(world.control, ScriptedControl)
    return world.control.orders


async def command(database: Database, command_id: uuid.UUID) -> ChargerCommand:
    async with database.read() as reader:
        found = await reader.find(ChargerCommand, operator_id=OPERATOR, id=command_id)
    assert found is not None
    return found


async def now(world: World, session: ChargingSession) -> ChargingSession:
    found = await world.services.sessions.session(OPERATOR, session.id, None)
    assert found is not None
    return found


async def test_an_accepted_start_is_done(cpo: Partner, world: World, database: Database) -> None:
    session, order = await started(world)
    for _ in range(2):
        said = await cpo.ask("POST", f"{SENDER}/START_SESSION/{order.command}", {"result": "ACCEPTED"})
        assert said.codes == (200, 1000)
    assert (await command(database, order.command)).state is CommandState.DONE
    assert (await now(world, session)).status is ChargingSessionStatus.PENDING
    assert (await world.balance()).held == Money(2000, "EUR")


async def test_a_refused_start_fails_its_session_and_frees_its_money(
    cpo: Partner, world: World, database: Database
) -> None:
    session, order = await started(world)
    said = await cpo.ask("POST", f"{SENDER}/START_SESSION/{order.command}", {"result": "EVSE_OCCUPIED"})
    assert said.codes == (200, 1000)
    concluded, failed = await command(database, order.command), await now(world, session)
    assert (concluded.state, concluded.result) == (CommandState.REFUSED, "EVSE_OCCUPIED")
    assert (failed.status, failed.stop_reason) == (ChargingSessionStatus.FAILED, StopReason.STATION)
    assert (await world.balance()).available == Money(10000, "EUR")


async def test_a_session_is_known_by_the_reference_of_its_start(cpo: Partner, world: World) -> None:
    session, order = await started(world)
    body = cpo.session(authorization_reference=order.authorization_reference)
    assert (await cpo.put(body)).codes == (200, 1000)
    running = await now(world, session)
    assert (running.status, running.ocpi_id) == (ChargingSessionStatus.CHARGING, "S-1")
    assert (await cpo.get()).data["auth_method"] == "COMMAND"
    assert (await world.balance()).held == Money(2000, "EUR")


async def test_a_refused_stop_lets_the_session_go_on(cpo: Partner, world: World) -> None:
    session, order = await started(world)
    await cpo.put(cpo.session(authorization_reference=order.authorization_reference))
    await world.services.charging.stop(OPERATOR, world.driver.id, session.id)
    stop = orders(world)[-1]
    assert isinstance(stop, Stop)
    assert stop.session == "S-1"
    assert (await now(world, session)).status is ChargingSessionStatus.STOPPING
    said = await cpo.ask("POST", f"{SENDER}/STOP_SESSION/{stop.command}", {"result": "FAILED"})
    assert said.codes == (200, 1000)
    assert (await now(world, session)).status is ChargingSessionStatus.CHARGING


async def test_an_accepted_stop_waits_for_the_end(cpo: Partner, world: World, database: Database) -> None:
    session, order = await started(world)
    await cpo.put(cpo.session(authorization_reference=order.authorization_reference))
    await world.services.charging.stop(OPERATOR, world.driver.id, session.id)
    stop = orders(world)[-1]
    await cpo.ask("POST", f"{SENDER}/STOP_SESSION/{stop.command}", {"result": "ACCEPTED"})
    assert (await command(database, stop.command)).state is CommandState.DONE
    assert (await now(world, session)).status is ChargingSessionStatus.STOPPING
    await cpo.patch(change("08:30:00", kwh=10, status="COMPLETED"))
    ended = await now(world, session)
    assert (ended.status, ended.stop_reason) == (ChargingSessionStatus.COMPLETED, StopReason.DRIVER)
    assert (await world.balance()).available == Money(10000 - 476, "EUR")


async def test_a_result_of_nothing_is_not_found(
    cpo: Partner, biller: Partner, world: World, database: Database
) -> None:
    _, order = await started(world)
    before = await everything(database)
    accepted = {"result": "ACCEPTED"}
    for partner, path in (
        (biller, f"START_SESSION/{order.command}"),
        (cpo, f"UNLOCK_CONNECTOR/{order.command}"),
        (cpo, f"START_SESSION/{uuid.uuid4()}"),
        (cpo, "START_SESSION/1"),
        (cpo, "START_SESSION/%00"),
    ):
        assert (await partner.ask("POST", f"{SENDER}/{path}", accepted)).codes == (404, 2000), path
    assert await everything(database) == before


async def test_a_result_that_is_none_concludes_nothing(cpo: Partner, world: World, database: Database) -> None:
    _, order = await started(world)
    before = await everything(database)
    for body in ({}, {"result": "MAYBE"}, {"result": None}, {"result": 1}, {"result": {"result": "ACCEPTED"}}):
        said = await cpo.ask("POST", f"{SENDER}/START_SESSION/{order.command}", body)
        assert (said.codes, said.message[:8]) == ((200, 2001), "result: ")
    assert await everything(database) == before
