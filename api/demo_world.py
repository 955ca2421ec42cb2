"""The demo's world: one operator, one charge point operator, a site with a tariff. Seeding it again changes nothing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from decimal import Decimal

from api.keys import Keys, kept_once
from api.settings import Settings
from domain.partners import ConnectorPlan, EvsePlan, LocationPlan, Operator, Party
from domain.services import Services

CPO = ("DE", "ABC")
TARIFF = "LINDEN"
EVSES = 8


@dataclass(frozen=True, slots=True)
class Tokens:
    """How the demo's charge points and the gateway know one another."""

    to_gateway: str
    to_charge_points: str


def home_operator(settings: Settings) -> Operator:
    """The business whose books the demo keeps."""
    return Operator(
        operator_id=settings.operator_id,
        name="Tallywatt Demo",
        country_code="DE",
        party_id="TWT",
        currency="EUR",
        time_zone="Europe/Berlin",
        opening_hold_minor=2000,
    )


def tokens(settings: Settings) -> Tokens:
    """Made once, kept beside the other secrets of development."""

    def kept(name: str) -> str:
        return kept_once(settings.var / name, lambda: secrets.token_urlsafe(32).encode()).decode()

    return Tokens(kept("charge-points-token"), kept("charge-points-commands-token"))


async def seed(services: Services, keys: Keys, settings: Settings, commands_url: str) -> None:
    """Register operator, party, tariff and site."""
    operator = settings.operator_id
    await services.partners.add_operator(home_operator(settings))
    known = tokens(settings)
    party = await services.partners.add_party(
        Party(
            operator_id=operator,
            id=services.partners.new_party_id(),
            country_code=CPO[0],
            party_id=CPO[1],
            name="Lindenstrom",
            token_hash=keys.token_hash(known.to_gateway),
            commands_url=commands_url,
            commands_token_sealed=keys.seal(known.to_charge_points),
        )
    )
    await services.tariffs.publish(operator, party.id, _tariff())
    await services.partners.put_location(operator, party.id, _location())


def _tariff() -> dict[str, object]:
    """0.49 EUR/kWh, by night 0.39; parking after charging 3.60 EUR/h by day; 19 % VAT included (OCPI 2.3.0)."""
    day = {"start_time": "06:00", "end_time": "22:00"}

    def component(kind: str, price: str, step: int) -> dict[str, object]:
        return {"type": kind, "price": Decimal(price), "vat": Decimal(19), "step_size": step}

    return {
        "country_code": CPO[0],
        "party_id": CPO[1],
        "id": TARIFF,
        "currency": "EUR",
        "tax_included": "YES",
        "elements": [
            {
                "price_components": [component("ENERGY", "0.49", 1), component("PARKING_TIME", "3.60", 60)],
                "restrictions": day,
            },
            {"price_components": [component("ENERGY", "0.39", 1)]},
        ],
        "last_updated": "2026-01-01T00:00:00Z",
    }


def _location() -> LocationPlan:
    def evse(number: int) -> EvsePlan:
        connector = ConnectorPlan("1", "IEC_62196_T2_COMBO", 50_000, TARIFF)
        return EvsePlan(f"LINDEN-{number}", f"DE*ABC*ELINDEN{number}", (connector,))

    return LocationPlan(
        ocpi_id="LINDEN",
        name="Lindenplatz",
        address="Lindenplatz 4, 10435 Berlin",
        country="DE",
        time_zone="Europe/Berlin",
        evses=tuple(evse(number) for number in range(1, EVSES + 1)),
    )
