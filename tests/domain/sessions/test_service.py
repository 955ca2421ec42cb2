"""Sessions and their bills as they are read: by owner, in pages."""

from __future__ import annotations

from datetime import datetime

import pytest

from domain.database import Database
from domain.ids import ChargingSessionId
from domain.sessions import ChargingSession, ChargingSessionStatus, standing
from tests.domain.sessions.ocpi_objects import after, card
from tests.domain.sessions.stage import ACTIVE, COMPLETED, Stage, built


@pytest.fixture
async def stage(database: Database) -> Stage:
    """Five sessions of one driver, two of them ended, and one of another."""
    stage = await built(database)
    for number in range(5):
        await stage.record(stage.push(f"S{number}", ACTIVE, number, 0, started_at=after(number // 2)))
    for number in (1, 3):
        await stage.record(stage.patch(f"S{number}", COMPLETED, 60, 1000 * number))
    await stage.rich_driver("other", 1000)
    await stage.record(stage.push("S9", ACTIVE, 0, 0, token=card("other")))
    return stage


async def test_pages_show_every_own_session_once_latest_first(stage: Stage) -> None:
    found: list[ChargingSession] = []
    before: tuple[datetime, ChargingSessionId] | None = None
    while page := await stage.services.sessions.sessions_of(
        stage.operator, stage.driver.id, before=before, statuses=None, limit=2
    ):
        assert len(page) <= 2
        found += page
        before = page[-1].requested_at, page[-1].id
    assert sorted(session.ocpi_id or "" for session in found) == ["S0", "S1", "S2", "S3", "S4"]
    keys = [(session.requested_at, session.id) for session in found]
    assert keys == sorted(keys, reverse=True)


async def test_sessions_are_found_by_what_they_are(stage: Stage) -> None:
    sessions, driver = stage.services.sessions, stage.driver.id
    running = await sessions.active_of(stage.operator, driver)
    assert {session.ocpi_id for session in running} == {"S0", "S2", "S4"}
    ended = await sessions.sessions_of(
        stage.operator, driver, before=None, statuses=[ChargingSessionStatus.COMPLETED], limit=9
    )
    assert {session.ocpi_id for session in ended} == {"S1", "S3"}
    assert await sessions.sessions_of(stage.operator, driver, before=None, statuses=[], limit=9) == []
    ids = [session.id for session in [*running, *ended]]
    assert {session.id for session in await sessions.sessions_by_id(stage.operator, ids)} == set(ids)


async def test_bills_are_found_by_session_and_owner(stage: Stage) -> None:
    sessions = stage.services.sessions
    done = [await stage.services.recording.pushed(stage.cpo, name) for name in ("S1", "S3", "S0")]
    cdrs = await sessions.cdrs_of(stage.operator, [session.id for session in done])
    assert {cdr.session_id for cdr in cdrs} == {done[0].id, done[1].id}
    assert len(cdrs) == 2
    assert standing(cdrs[:1]) == cdrs[0]
    assert standing([]) is None
    (other,) = [one for one in await stage.all(ChargingSession) if one.ocpi_id == "S9"]
    assert await sessions.cdr(stage.operator, cdrs[0].id, stage.driver.id) == cdrs[0]
    assert await sessions.cdr(stage.operator, cdrs[0].id, None) == cdrs[0]
    assert other.driver_id is not None
    assert await sessions.cdr(stage.operator, cdrs[0].id, other.driver_id) is None


async def test_the_log_tells_what_was_pushed_in_order(stage: Stage) -> None:
    session = await stage.services.recording.pushed(stage.cpo, "S3")
    log = await stage.services.sessions.log(stage.operator, session.id, limit=10)
    assert [(row.number, row.energy_wh, row.status, row.replaces) for row in log] == [
        (1, 0, "ACTIVE", True),
        (2, 3000, "COMPLETED", False),
    ]
    assert len(await stage.services.sessions.log(stage.operator, session.id, limit=1)) == 1


async def test_the_log_of_a_session_gives_its_bill_again(stage: Stage) -> None:
    for name in ("S1", "S3"):
        session = await stage.services.recording.pushed(stage.cpo, name)
        async with stage.database.read() as reader:
            again = await stage.services.sessions.reprice(reader, session)
        assert again is not None
        assert (again.net.minor, again.tax.minor) == (session.net_minor, session.tax_minor)
    asked = await stage.start(quote=await stage.quote(connector=1))
    async with stage.database.read() as reader:
        assert await stage.services.sessions.reprice(reader, asked) is None
