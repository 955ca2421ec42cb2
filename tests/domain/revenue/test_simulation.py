"""What a draft tariff would change is what pricing every stored session by it gives, and nothing is written."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain.database import Database
from domain.disputes import DisputeReason
from domain.errors import CurrencyMismatch, NotFound
from domain.partners import ConnectorPlan, EvsePlan, LocationPlan
from domain.revenue import Scope, Simulation, Tally
from domain.tariffs import parse_tariff
from tests.domain.sessions.ocpi_objects import NOON, after, card, component, period, tariff
from tests.domain.sessions.stage import ACTIVE, COMPLETED, Stage, built, euro

DRAFT = tariff("DRAFT", component("ENERGY", "0.60"))
"""STANDARD takes 1.00 once and 0.50 a kWh, so the draft is dearer from 10 kWh on."""


@pytest.fixture
async def stage(database: Database) -> Stage:
    stage = await built(database)
    plug = ConnectorPlan("1", "CCS", 50_000, "STANDARD")
    site = LocationPlan("L2", "Harbour", "Quay 1", "DE", "Europe/Berlin", (EvsePlan("E1", None, (plug,)),))
    await stage.services.partners.put_location(stage.operator, stage.cpo.id, site)
    return stage


async def simulated(stage: Stage, draft: dict[str, object] = DRAFT, **more: object) -> Simulation:
    scope = Scope(stage.operator, "EUR", date.min, date.max)
    for name, value in more.items():
        scope = Scope(**{field: getattr(scope, field) for field in scope.__slots__} | {name: value})
    return await stage.services.simulation.simulate(scope, parse_tariff(draft))


async def sessions(stage: Stage) -> None:
    """Of two drivers at two sites: 10 kWh, 4 kWh, 30 kWh, and one of a foreign driver."""
    await stage.rich_driver("other", 9000)
    for name, wh, who, site in (
        ("S1", 10_000, "driver", "L1"),
        ("S2", 4_000, "driver", "L2"),
        ("S3", 30_000, "other", "L2"),
        ("S4", 20_000, "other", "L1"),
    ):
        told = (period(0, f"{wh / 1000}", hours="1"),)
        await stage.record(stage.push(name, ACTIVE, 0, 0, token=card(who), location=site))
        more = {"token": card(who), "location": site, "periods": told, "ended_at": after(60)}
        await stage.record(stage.push(name, COMPLETED, 60, wh, **more))


async def test_revenue_winners_and_losers_under_a_draft(stage: Stage) -> None:
    await sessions(stage)
    before = await stage.everything()
    found = await simulated(stage)
    assert await stage.everything() == before
    # as billed: 6.00, 3.00, 16.00, 11.00 and 19 % of each; drafted: 6.00, 2.40, 18.00, 12.00
    assert found.total == Tally(
        sessions=4, winners=1, losers=2, billed_net=3600, billed_gross=4284, draft_net=3840, draft_gross=4570
    )
    assert (found.drivers, found.winning_drivers, found.losing_drivers, found.unpriced) == (2, 1, 1, 0)
    assert [much for much, _ in found.best_off] == [71]
    assert [much for much, _ in found.worst_off] == [357]
    assert (found.best_off[0][1], found.worst_off[0][1] == stage.driver.id) == (stage.driver.id, False)
    at = found.locations[stage.location]
    assert (at.sessions, at.billed_net, at.draft_net) == (2, 1700, 1800)
    assert [(hour, tally.sessions) for hour, tally in enumerate(found.hours) if tally.sessions] == [(13, 4)]


async def test_the_tariff_in_force_changes_nothing(stage: Stage) -> None:
    await sessions(stage)
    same = tariff(
        "X", component("FLAT", "1.00"), component("ENERGY", "0.50"), component("PARKING_TIME", "6.00", step=60)
    )
    found = await simulated(stage, same)
    assert (found.total.difference, found.total.winners, found.total.losers) == (0, 0, 0)
    assert (found.best_off, found.worst_off, found.drivers) == ([], [], 2)


async def test_only_the_days_and_places_asked_for_count(stage: Stage) -> None:
    await sessions(stage)
    today, tomorrow = NOON.date(), NOON.date() + timedelta(days=1)
    assert (await simulated(stage, first=tomorrow)).total == Tally()
    assert (await simulated(stage, before=today)).total == Tally()
    assert (await simulated(stage, first=today, before=tomorrow)).total.sessions == 4
    (harbour,) = await stage.services.simulation.named(stage.operator, ["L2"])
    assert (await simulated(stage, locations=(harbour,))).total.sessions == 2
    with pytest.raises(NotFound, match="L7"):
        await stage.services.simulation.named(stage.operator, ["L2", "L7"])


async def test_a_bill_that_was_taken_back_counts_as_it_stands(stage: Stage) -> None:
    session = await stage.charged()
    disputes = stage.services.disputes
    dispute = await disputes.submit(
        stage.operator, stage.driver.id, session.id, DisputeReason.OTHER, "It is too much.", None, "d1"
    )
    await disputes.uphold(stage.operator, dispute.id, dispute.revision, euro(100), "Sorry.", "agent", "u1")
    found = await simulated(stage)
    assert (found.total.sessions, found.total.billed_gross) == (1, session.gross.minor - 100)


async def test_a_draft_in_another_currency_is_refused(stage: Stage) -> None:
    with pytest.raises(CurrencyMismatch):
        await simulated(stage, DRAFT | {"currency": "CHF"})


async def test_many_sessions_are_read_a_handful_at_a_time(stage: Stage) -> None:
    for number in range(103):
        await stage.charged(f"S{number}", 1000)
    seen: list[int] = []
    scope = Scope(stage.operator, "EUR", date.min, date.max)
    found = await stage.services.simulation.simulate(
        scope,
        parse_tariff(tariff("D", component("ENERGY", "0.50") | {"vat": Decimal(19)})),
        lambda now: seen.append(now.total.sessions),
    )
    assert (seen, found.total.winners) == ([50, 100, 103], 103)
