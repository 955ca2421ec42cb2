"""What a running session costs from now on: the prices that run, and when they change."""

from __future__ import annotations

import strawberry

from domain import sessions as domain
from domain.tariffs import next_price_change, prices_now
from resolvers.context import Info
from resolvers.extending import extends
from resolvers.scalars import Timestamp
from resolvers.sessions import ChargingSession
from resolvers.tariffs import QuoteComponent, quote_components


@extends(ChargingSession, "When the price will change next; null when not foreseeable.")
async def next_price_change_at(root: strawberry.Parent[ChargingSession], info: Info) -> Timestamp | None:
    """At the power of now, from the last meter value on."""
    course = await _course(root, info)
    found = None if course is None else next_price_change(course, course.since.at + domain.FORESEEN)
    return None if found is None else Timestamp(found)


@extends(ChargingSession, "Prices that run now; empty when nothing runs, or nobody knows what.")
async def current_prices(root: strawberry.Parent[ChargingSession], info: Info) -> list[QuoteComponent]:
    """Of energy and charging time, or of being parked."""
    course = await _course(root, info)
    return [] if course is None else quote_components(prices_now(course))


async def _course(root: ChargingSession, info: Info) -> domain.Course | None:
    edition = await info.context.loaders.editions.load(root.row.tariff_id)
    assert edition is not None
    return domain.course_of(root.row, edition)
