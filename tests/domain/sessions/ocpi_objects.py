"""What operators of charge points say on the day of the tests: tariffs, tokens, periods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from domain.sessions import TokenName
from domain.tariffs import ChargingPeriod, DimensionType

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def component(kind: str, price: str, vat: int | None = 19, step: int = 1) -> dict[str, object]:
    raw: dict[str, object] = {"type": kind, "price": Decimal(price), "step_size": step}
    return raw if vat is None else raw | {"vat": Decimal(vat)}


def tariff(
    name: str, *components: dict[str, object], party: tuple[str, str] = ("DE", "CPO"), **more: object
) -> dict[str, object]:
    """A Tariff object of OCPI with one element."""
    return {
        "country_code": party[0],
        "party_id": party[1],
        "id": name,
        "currency": "EUR",
        "elements": [{"price_components": list(components)}],
        "last_updated": "2026-01-01T00:00:00Z",
    } | more


STANDARD = tariff(
    "STANDARD", component("FLAT", "1.00"), component("ENERGY", "0.50"), component("PARKING_TIME", "6.00", step=60)
)


def after(minutes: int, seconds: int = 0) -> datetime:
    return NOON + timedelta(minutes=minutes, seconds=seconds)


def card(name: str) -> TokenName:
    return TokenName(("DE", "TWT"), f"CARD-{name.upper()}", f"DE-TWT-C{name.upper()}", is_app=False)


def period(
    minutes: int, kwh: str | None = None, *, hours: str | Fraction | None = None, parked: bool = False
) -> ChargingPeriod:
    dimensions: list[tuple[DimensionType, Decimal | Fraction]] = []
    if kwh is not None:
        dimensions.append((DimensionType.ENERGY, Decimal(kwh)))
    if hours is not None:
        kind = DimensionType.PARKING_TIME if parked else DimensionType.TIME
        dimensions.append((kind, Decimal(hours) if isinstance(hours, str) else hours))
    return ChargingPeriod(after(minutes), tuple(dimensions))
