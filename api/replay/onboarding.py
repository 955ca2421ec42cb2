"""The operator of the recorded stations, registered with its tariffs and locations before its sessions are told.

A recording names the rate of each session: each rate is a tariff. A connector offers the rate first recorded at it;
where a session had another one, its charging periods name that.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from api.keys import Keys
from api.replay.recorded import CURRENCY, ZONE, Place, Plug, Recorded
from api.replay.recording_file import RefusedRow
from domain.ids import OperatorId
from domain.partners import ConnectorPlan, EvsePlan, LocationPlan, Party
from domain.services import Services

COUNTRY, PARTY = "CH", "AIL"
VAT_PERCENT = Decimal(8)
"""Of Switzerland until the end of 2017."""

_STANDARDS = {
    Plug.TYPE_2: ("IEC_62196_T2", 22_080),
    Plug.TYPE_1: ("IEC_62196_T1", 7_360),
    Plug.T23: ("DOMESTIC_J", 3_680),
    Plug.UNKNOWN: ("IEC_62196_T2", 22_080),
}
"""OCPI's name of the plug, and the watts that it carries at most at 230 V; what is unknown is taken for the usual."""


@dataclass(slots=True)
class Survey:
    """What a recording tells about the network it was made in; the first name of a station counts."""

    rows: int = 0
    places: dict[str, Place] = field(default_factory=dict)
    rates: dict[str, Decimal] = field(default_factory=dict)
    outlets: dict[str, dict[str, dict[Plug, Decimal]]] = field(default_factory=dict)


def surveyed(rows: Iterable[Recorded | RefusedRow]) -> Survey:
    """One look at all rows."""
    survey = Survey()
    for row in rows:
        survey.rows += 1
        if isinstance(row, Recorded):
            place = row.place
            survey.places.setdefault(place.station, place)
            survey.rates.setdefault(tariff_id(row.rate), row.rate)
            outlets = survey.outlets.setdefault(place.station, {})
            outlets.setdefault(place.outlet, {}).setdefault(place.plug, row.rate)
    return survey


async def onboard(services: Services, keys: Keys, operator: OperatorId, survey: Survey) -> str:
    """Register everything; told again nothing is added. The token with which the operator may push from now on."""
    token = secrets.token_urlsafe(32)
    party = await services.partners.add_party(
        Party(
            operator_id=operator,
            id=services.partners.new_party_id(),
            country_code=COUNTRY,
            party_id=PARTY,
            name="Aziende Industriali di Lugano",
            token_hash=keys.token_hash(token),
            sends_cdrs=True,
        )
    )
    for rate in survey.rates.values():
        await services.tariffs.publish(operator, party.id, tariff(rate))
    for station, place in survey.places.items():
        await services.partners.put_location(operator, party.id, _location(place, survey.outlets[station]))
    return token


def tariff(rate: Decimal) -> dict[str, object]:
    """A rate per kWh as a Tariff of OCPI 2.3.0, tax included."""
    component = {"type": "ENERGY", "price": rate, "vat": VAT_PERCENT, "step_size": 1}
    return {
        "country_code": COUNTRY,
        "party_id": PARTY,
        "id": tariff_id(rate),
        "currency": CURRENCY,
        "tax_included": "YES",
        "elements": [{"price_components": [component]}],
        "last_updated": "2017-01-01T00:00:00Z",
    }


def tariff_id(rate: Decimal) -> str:
    """The id of the tariff of a rate: `ENERGY-0.42`."""
    return f"ENERGY-{rate.normalize():f}"


def evse_uid(place: Place) -> str:
    """The uid of the EVSE at a charging place of a station."""
    return f"{place.station}-{place.outlet}"


def evse_id(place: Place) -> str:
    """The same as it would be printed there (eMI3)."""
    return f"{COUNTRY}*{PARTY}*E{place.station}*{place.outlet.replace('-', '*')}"


def connector_id(plug: Plug) -> str:
    """The id of the connector of a type of plug."""
    return plug.value.upper()


def standard(plug: Plug) -> str:
    """OCPI's ConnectorType."""
    return _STANDARDS[plug][0]


def _location(first: Place, outlets: dict[str, dict[Plug, Decimal]]) -> LocationPlan:
    return LocationPlan(
        ocpi_id=first.station,
        name=first.name,
        address=first.town,
        country=COUNTRY,
        time_zone=ZONE.key,
        evses=tuple(_evse(first, outlet, plugs) for outlet, plugs in outlets.items()),
    )


def _evse(first: Place, outlet: str, plugs: dict[Plug, Decimal]) -> EvsePlan:
    place = Place(first.station, first.name, first.town, outlet, Plug.UNKNOWN)
    connectors = tuple(
        ConnectorPlan(connector_id(plug), standard(plug), _STANDARDS[plug][1], tariff_id(rate))
        for plug, rate in plugs.items()
    )
    return EvsePlan(evse_uid(place), evse_id(place), connectors)
