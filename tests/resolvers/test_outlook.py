"""What a running session is told about the prices to come."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from domain.sessions import ChargingSession, TheirStatus, course_of
from domain.tariffs import TariffEdition, next_price_change
from resolvers.principal import Role
from tests.resolvers.gateway import Gateway, gid, moment
from tests.world import TARIFF

AHEAD = """query ($id: ID!) { node(id: $id) { ... on ChargingSession {
  nextPriceChangeAt currentPrices { per price { net gross vatPercent } condition } } } }"""


async def ahead(gateway: Gateway, session: ChargingSession) -> dict[str, Any]:
    answer = await gateway.ask(AHEAD, Role.DRIVER, None, id=gid("ChargingSession", session.id))
    found: dict[str, Any] = answer.data["node"]
    return found


async def test_a_session_tells_the_prices_that_run(gateway: Gateway) -> None:
    await gateway.push("S-1", TheirStatus.ACTIVE, 0)
    charging = await gateway.push("S-1", TheirStatus.ACTIVE, 1800, "5")
    assert await ahead(gateway, charging) == {
        "nextPriceChangeAt": None,
        "currentPrices": [
            {"per": "KWH", "price": {"net": "0.4", "gross": "0.476", "vatPercent": "19"}, "condition": None}
        ],
    }
    parked = await gateway.push("S-1", TheirStatus.ACTIVE, 2400, "5")
    assert [one["per"] for one in (await ahead(gateway, parked))["currentPrices"]] == ["OTHER"]
    over = await gateway.push("S-1", TheirStatus.COMPLETED, 2400, "5")
    assert await ahead(gateway, over) == {"nextPriceChangeAt": None, "currentPrices": []}


@pytest.mark.parametrize(
    ("seconds", "more", "named"),
    [(3600, {}, 1), (None, {"status": "suspended", "power_w": None}, 1), (None, {}, 2), (None, {"power_w": None}, 1)],
)
async def test_a_change_of_price_is_foreseen_from_the_last_meter_value(
    small: Gateway, seconds: int | None, more: dict[str, Any], named: int
) -> None:
    await small.push("S-1", TheirStatus.ACTIVE, 0)
    session = await small.push("S-1", TheirStatus.ACTIVE, 1800, "5")
    (tiers,) = TARIFF["elements"]
    raw = TARIFF | {
        "elements": [
            tiers | {"restrictions": {"max_kwh": 10}},
            {"price_components": [{"type": "ENERGY", "price": Decimal("0.50"), "step_size": 1}]},
        ]
    }
    locked = orjson.dumps({str(n): "x" for n in range(named)}).decode()
    row = session.model_copy(update={"locked_tariffs": locked} | more)
    text = orjson.dumps(raw, default=str).decode()
    course = course_of(row, TariffEdition(ocpi_id="CITY", sha256="", currency="EUR", content=text))
    found = None if course is None else next_price_change(course, moment(90_000))
    assert found == (None if seconds is None else moment(seconds))
