"""Revenue equals sums made by hand from the bills, slice by slice and place by place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from domain.database import Database
from domain.disputes import DisputeReason
from domain.errors import InvalidInput
from domain.ids import LocationId, OperatorId
from domain.money import Money
from domain.partners import ConnectorPlan, EvsePlan, LocationPlan
from domain.revenue import Figures, Interval, Measure, Scope
from domain.sessions import CDR, CdrKind, TokenName
from tests.domain.sessions.ocpi_objects import STANDARD, component, tariff
from tests.domain.sessions.stage import ACTIVE, COMPLETED, Stage, built

BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
DAY = timedelta(days=1)
FOREIGN = TokenName(("DE", "MSP"), "X", None, is_app=False)


@pytest.fixture
async def stage(database: Database) -> Stage:
    """A second site, which is dearer and sometimes bills in crowns."""
    stage = await built(database)
    plugs = tuple(ConnectorPlan(str(number), "CCS", 50_000, name) for number, name in ((1, "STANDARD"), (2, "CROWNS")))
    site = LocationPlan("L2", "Harbour", "Quay 1", "DE", "Europe/Berlin", (EvsePlan("E1", None, plugs),))
    await stage.services.partners.put_location(stage.operator, stage.cpo.id, site)
    crowns = tariff("CROWNS", component("ENERGY", "9.00"), currency="SEK")
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, crowns)
    return stage


async def charged(stage: Stage, name: str, at: datetime, wh: int, site: str = "L1", connector: str = "1") -> None:
    """Half an hour of charging and half an hour of parking, for a driver of another party."""
    facts = {"token": FOREIGN, "location": site, "connector": connector, "started_at": at}
    for minutes, counted, status in ((0, 0, ACTIVE), (30, wh, ACTIVE), (60, wh, COMPLETED)):
        told = at + timedelta(minutes=minutes)
        push = replace(stage.push(name, status, 0, counted, **facts), last_updated=told)
        await stage.record(push)


def by_hand(cdrs: Iterable[CDR], disputed: int = 0) -> Figures:
    """Counted in Python from the rows themselves."""
    sums: Counter[str] = Counter(disputed=disputed)
    for cdr in cdrs:
        if cdr.kind is CdrKind.ORIGINAL:
            sums["sessions"] += 1
            for name in ("energy_wh", "charging_seconds", "idle_seconds"):
                sums[name] += getattr(cdr, name)
            for name in ("net_minor", "tax_minor", "idle_net_minor", "idle_tax_minor"):
                sums[name] += getattr(cdr, name)
        else:
            sums["refunded_net_minor"] -= cdr.net_minor
            sums["refunded_tax_minor"] -= cdr.tax_minor
    return Figures(**sums)


def sliced(cdrs: list[CDR], scope: Scope, by: Interval, slices: list[tuple[datetime, Figures]]) -> list[Figures]:
    """The figures of each slice; the first slice begins with the period."""
    begin = datetime.combine(scope.first, datetime.min.time(), BERLIN).astimezone(UTC)
    parts: dict[datetime, list[CDR]] = {at: [] for at, _ in slices}
    for cdr in cdrs:
        local = cdr.started_at.astimezone(BERLIN)
        if scope.first <= local.date() < scope.before:
            parts[max(begin, STARTS[by](local).astimezone(UTC))].append(cdr)
    return [by_hand(part) for part in parts.values()]


STARTS: dict[Interval, Callable[[datetime], datetime]] = {
    Interval.HOUR: lambda at: at.replace(minute=0),
    Interval.DAY: lambda at: datetime.combine(at.date(), datetime.min.time(), BERLIN),
    Interval.WEEK: lambda at: datetime.combine(at.date() - at.weekday() * DAY, datetime.min.time(), BERLIN),
    Interval.MONTH: lambda at: datetime.combine(at.date().replace(day=1), datetime.min.time(), BERLIN),
}


@pytest.mark.parametrize("change", [SPRING, AUTUMN], ids=["spring", "autumn"])
async def test_slices_places_and_totals_are_sums_of_the_bills(stage: Stage, change: date) -> None:
    dice, midnight = Random(7), datetime.combine(change, datetime.min.time(), BERLIN).astimezone(UTC)
    # Every hour around the change of the clock, and strewn about the weeks before and after.
    offsets = [timedelta(minutes=60 * hour + 20) for hour in range(-2, 5)]
    offsets += [timedelta(minutes=dice.randrange(-14 * 1440, 14 * 1440)) for _ in range(8)]
    for number, offset in enumerate(offsets):
        site = dice.choice(["L1", "L2"])
        await charged(stage, f"S{number}", midnight + offset, dice.randrange(1000, 30_000), site)
    cdrs = await stage.all(CDR)
    scope = Scope(stage.operator, "EUR", change - 14 * DAY, change + 15 * DAY)
    revenue = stage.services.revenue
    assert await revenue.totals(scope) == by_hand(cdrs)
    assert (await revenue.totals(scope)).sessions == len(offsets)
    for by, count in ((Interval.HOUR, 71 if change == SPRING else 73), (Interval.DAY, 29), (Interval.WEEK, 5)):
        few = replace(scope, first=change - DAY, before=change + 2 * DAY) if by is Interval.HOUR else scope
        slices = await revenue.timeline(few, by, BERLIN)
        assert [at for at, _ in slices] == sorted({at for at, _ in slices})
        assert (len(slices), [figures for _, figures in slices]) == (count, sliced(cdrs, few, by, slices))
        assert by is Interval.WEEK or Figures() in dict(slices).values()
    months = await revenue.timeline(scope, Interval.MONTH, BERLIN)
    assert [figures for _, figures in months] == sliced(cdrs, scope, Interval.MONTH, months)
    places = {place: [cdr for cdr in cdrs if cdr.location_id == place] for place in {cdr.location_id for cdr in cdrs}}
    assert len(places) == 2
    assert dict(await revenue.locations(scope, Measure.REVENUE, 9)) == {
        place: by_hand(billed) for place, billed in places.items()
    }
    for place, billed in places.items():
        assert await revenue.totals(replace(scope, locations=(place,))) == by_hand(billed)
    assert await revenue.totals(replace(scope, locations=())) == Figures()


async def test_a_period_holds_what_started_on_its_local_days(stage: Stage) -> None:
    for name, hour, minute in (("S1", 22, 59), ("S2", 23, 0)):
        await charged(stage, name, datetime(2026, 3, 4, hour, minute, tzinfo=UTC), 10_000)
    revenue = stage.services.revenue
    day = Scope(stage.operator, "EUR", date(2026, 3, 5), date(2026, 3, 6))
    (cdr,) = [cdr for cdr in await stage.all(CDR) if cdr.local_on == date(2026, 3, 5)]
    assert (cdr.started_at.hour, cdr.weekday, cdr.hour) == (23, 3, 0)
    assert await revenue.totals(day) == by_hand([cdr])
    assert day.previous == Scope(stage.operator, "EUR", date(2026, 3, 4), date(2026, 3, 5))
    assert (await revenue.totals(day.previous)).sessions == 1


async def test_refunds_and_disputes_count_where_the_session_was(stage: Stage) -> None:
    first, second = await stage.charged("S1"), await stage.charged("S2")
    stage.clock.advance(timedelta(days=30))
    disputes = stage.services.disputes
    for session, cents in ((first, 300), (second, 714)):
        dispute = await disputes.submit(
            stage.operator, stage.driver.id, session.id, DisputeReason.OTHER, "Something is wrong.", None, f"d{cents}"
        )
        await disputes.uphold(
            stage.operator, dispute.id, dispute.revision, Money(cents, "EUR"), "Sorry.", "agent", f"u{cents}"
        )
    day = Scope(stage.operator, "EUR", date(2026, 3, 2), date(2026, 3, 3))
    figures = await stage.services.revenue.totals(day)
    assert figures == by_hand(await stage.all(CDR), disputed=2)
    assert figures.refunded_net_minor + figures.refunded_tax_minor == 1014
    assert (figures.net_minor, figures.sessions, figures.disputed) == (1200, 2, 2)
    slices = await stage.services.revenue.timeline(day, Interval.HOUR, BERLIN)
    assert [(at.hour, part.disputed) for at, part in slices if part != Figures()] == [(12, 2)]
    ((_, place),) = await stage.services.revenue.locations(day, Measure.REVENUE, 9)
    assert place == figures
    later = Scope(stage.operator, "EUR", date(2026, 3, 3), date(2026, 4, 30))
    assert await stage.services.revenue.totals(later) == Figures()


async def test_other_money_and_other_operators_are_left_out(stage: Stage) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    await charged(stage, "S1", noon, 10_000)
    await charged(stage, "S2", noon, 10_000, "L2", "2")
    other = await built(stage.database)
    await charged(other, "S1", noon, 20_000)
    day = Scope(stage.operator, "EUR", noon.date(), noon.date() + DAY)
    revenue = stage.services.revenue
    euros, crowns = await revenue.totals(day), await revenue.totals(replace(day, currency="SEK"))
    assert (euros.sessions, euros.net_minor, crowns.sessions, crowns.net_minor) == (1, 900, 1, 9000)
    theirs = await revenue.totals(replace(day, operator=other.operator))
    assert (theirs.sessions, theirs.net_minor) == (1, 1400)
    assert await revenue.totals(replace(day, operator=OperatorId(stage.driver.id))) == Figures()
    assert await revenue.totals(replace(day, locations=(other.location,))) == Figures()
    assert STANDARD["currency"] == "EUR"


@pytest.mark.parametrize(
    ("by", "best"),
    [(Measure.REVENUE, "L2"), (Measure.ENERGY, "L2"), (Measure.SESSIONS, "L1"), (Measure.IDLE_REVENUE, "L1")],
)
async def test_places_are_ranked_by_what_is_asked(stage: Stage, by: Measure, best: str) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    for name, site, wh in (("S1", "L1", 1000), ("S2", "L1", 1000), ("S3", "L2", 90_000)):
        await charged(stage, name, noon, wh, site)
    day = Scope(stage.operator, "EUR", noon.date(), noon.date() + DAY)
    ranked = await stage.services.revenue.locations(day, by, 9)
    names = {
        place.id: place.ocpi_id
        for place in await stage.services.partners.locations_by_id(
            stage.operator, [LocationId(place) for place, _ in ranked]
        )
    }
    assert [names[place] for place, _ in ranked] == [best, {"L1": "L2", "L2": "L1"}[best]]
    assert await stage.services.revenue.locations(day, by, 1) == ranked[:1]


async def test_a_report_has_limits(stage: Stage) -> None:
    revenue, first = stage.services.revenue, date(2026, 1, 1)
    long = Scope(stage.operator, "EUR", first, first + 401 * DAY)
    for attempt in (
        revenue.totals(long),
        revenue.totals(replace(long, before=first)),
        revenue.timeline(long, Interval.MONTH, BERLIN),
        revenue.timeline(replace(long, before=first + 42 * DAY), Interval.HOUR, BERLIN),
        revenue.locations(long, Measure.REVENUE, 1),
    ):
        with pytest.raises(InvalidInput):
            await attempt
    assert revenue.now() == stage.clock.now()
