"""The demo's world: one operator, one charge point operator, a site with a tariff. Seeding it again changes nothing."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from decimal import Decimal

from api.keys import Keys, kept_once
from api.onboarding import checked, onboard
from api.settings import Settings
from domain.services import Services

CPO = ("DE", "ABC")
EVSES = 8
OPERATOR = {
    "name": "Tallywatt Demo",
    "country_code": "DE",
    "party_id": "TWT",
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
    "opening_hold": 2000,
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """How the demo's charge points and the gateway know one another."""

    to_gateway: str
    to_charge_points: str


def tokens(settings: Settings) -> Tokens:
    """Made once, kept beside the other secrets of development."""

    def kept(name: str) -> str:
        return kept_once(settings.var / name, lambda: secrets.token_urlsafe(32).encode()).decode()

    return Tokens(kept("charge-points-token"), kept("charge-points-commands-token"))


async def seed_operator(services: Services, keys: Keys, settings: Settings) -> None:
    """Register the operator alone."""
    await onboard(services, keys, settings.operator_id, checked({"operator": OPERATOR}))


async def seed(services: Services, keys: Keys, settings: Settings, commands_url: str) -> None:
    """Register operator, party, tariff and site."""
    known = tokens(settings)
    party = {
        "country_code": CPO[0],
        "party_id": CPO[1],
        "name": "Lindenstrom",
        "token": known.to_gateway,
        "commands_url": commands_url,
        "commands_token": known.to_charge_points,
        "tariffs": [_tariff()],
        "locations": [_location()],
    }
    await onboard(services, keys, settings.operator_id, checked({"operator": OPERATOR, "parties": [party]}))


def _tariff() -> dict[str, object]:
    """0.49 EUR/kWh, by night 0.39; parking after charging 3.60 EUR/h by day; 19 % VAT included (OCPI 2.3.0)."""

    def component(kind: str, price: str, step: int) -> dict[str, object]:
        return {"type": kind, "price": Decimal(price), "vat": 19, "step_size": step}

    by_day = [component("ENERGY", "0.49", 1), component("PARKING_TIME", "3.60", 60)]
    return {
        "country_code": CPO[0],
        "party_id": CPO[1],
        "id": "LINDEN",
        "currency": "EUR",
        "tax_included": "YES",
        "elements": [
            {"price_components": by_day, "restrictions": {"start_time": "06:00", "end_time": "22:00"}},
            {"price_components": [component("ENERGY", "0.39", 1)]},
        ],
        "last_updated": "2026-01-01T00:00:00Z",
    }


def _location() -> dict[str, object]:
    connector = {
        "id": "1",
        "standard": "IEC_62196_T2_COMBO",
        "max_electric_power": 50_000,
        "tariff_ids": ["LINDEN"],
    }
    return {
        "id": "LINDEN",
        "name": "Lindenplatz",
        "address": "Lindenplatz 4, 10435 Berlin",
        "country": "DE",
        "time_zone": "Europe/Berlin",
        "evses": [
            {"uid": f"LINDEN-{number}", "evse_id": f"DE*ABC*ELINDEN{number}", "connectors": [connector]}
            for number in range(1, EVSES + 1)
        ],
    }
