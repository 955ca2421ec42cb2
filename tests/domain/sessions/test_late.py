"""Readings that come late, twice or by another gateway are priced as if they had been in time."""

from __future__ import annotations

from dataclasses import replace

from domain.services import assemble
from domain.sessions import InProcessFeed, Recorded
from tests.domain.sessions.ocpi_objects import after, component, tariff
from tests.domain.sessions.outside import NoGateway
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, Stage


async def test_a_meter_value_told_late_is_priced_as_if_it_had_been_in_time(stage: Stage) -> None:
    evening = {"start_time": "13:20"}
    raw = tariff(
        "STANDARD",
        elements=[
            {"price_components": [component("ENERGY", "0.90")], "restrictions": evening},
            {"price_components": [component("ENERGY", "0.50"), component("PARKING_TIME", "6.00", step=60)]},
        ],
    )
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, raw)
    told = [stage.patch("IN TIME", None, minute, wh) for minute, wh in ((20, 7000), (40, 7000), (50, 9000))]
    ends = {name: stage.patch(name, COMPLETED, 60, 10_000) for name in ("IN TIME", "LATE")}
    await stage.record(stage.push("IN TIME", ACTIVE, 0, 0))
    for push in told:
        await stage.record(push)
    in_time, _ = await stage.record(ends["IN TIME"])
    await stage.record(stage.push("LATE", ACTIVE, 0, 0))
    taken = []
    for push in (told[2], told[0], told[1], told[0], told[2], told[1]):
        session, outcome = await stage.record(replace(push, ocpi_id="LATE"))
        assert (session.energy_wh, session.metered_at) == (9000, after(50))
        taken.append(outcome)
    assert taken == [Recorded.UPDATED] * 3 + [Recorded.STALE] * 3
    late, _ = await stage.record(ends["LATE"])
    assert (late.net_minor, late.tax_minor, late.lines) == (in_time.net_minor, in_time.tax_minor, in_time.lines)
    assert late.idle_seconds == in_time.idle_seconds == 1200
    await stage.audited()


async def test_what_another_gateway_took_in_between_is_read_from_the_log(stage: Stage) -> None:
    other = assemble(stage.database, InProcessFeed(), NoGateway(), stage.line, stage.clock)
    await stage.record(stage.push("S1", ACTIVE, 0, 0))
    await stage.record(stage.patch("S1", None, 20, 4000))
    await other.recording.record(stage.cpo, stage.patch("S1", None, 30, 4000), CAUSE)
    session, _ = await stage.record(stage.patch("S1", COMPLETED, 60, 10_000))
    assert (session.charging_seconds, session.idle_seconds) == (3000, 600)
    await stage.audited()
