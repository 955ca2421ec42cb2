"""Registers an operator with its parties, tariffs and locations from one JSON file; told again it changes nothing.

Tariffs are OCPI Tariff objects. Parties and locations use OCPI's words, and only what sessions and prices need.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from api.keys import Keys
from domain.errors import InvalidInput
from domain.ids import OperatorId, PartyId
from domain.meters import meter_key
from domain.money import DIGITS
from domain.partners import ConnectorPlan, EvsePlan, LocationPlan, Operator, PartnerRounding, Party
from domain.services import Services

SHORTEST_TOKEN = 16
MOST_PROBLEMS = 20


class BadOnboarding(Exception):
    """What is wrong with the file, place by place; nothing was registered."""


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not an IANA time zone")
    return name


def _currency(code: str) -> str:
    if code not in DIGITS:
        raise ValueError("is not a currency that is counted in here")
    return code


def _meter_key(text: str) -> str:
    try:
        return meter_key(text).text
    except InvalidInput as refusal:
        raise ValueError(refusal.reason) from None


Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
PartyCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{3}$")]
CiString36 = Annotated[str, Field(min_length=1, max_length=36)]
Zone = Annotated[str, AfterValidator(_zone)]
Secret = Annotated[SecretStr, Field(min_length=SHORTEST_TOKEN)]


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConnectorTold(_Told):
    """`max_electric_power` in W; the first tariff of `tariff_ids` applies."""

    id: CiString36
    standard: Annotated[str, Field(max_length=40)]
    max_electric_power: Annotated[int, Field(gt=0)]
    tariff_ids: tuple[CiString36, ...] = ()


class EvseTold(_Told):
    """An OCPI EVSE; `meter_keys` are the public keys of its meter, DER in hex or base64."""

    uid: CiString36
    evse_id: Annotated[str | None, Field(max_length=48)] = None
    connectors: tuple[ConnectorTold, ...]
    meter_keys: tuple[Annotated[str, AfterValidator(_meter_key)], ...] = ()


class LocationTold(_Told):
    """An OCPI Location; `country` has two letters, as everywhere here."""

    id: CiString36
    name: Annotated[str, Field(max_length=255)]
    address: Annotated[str, Field(max_length=255)]
    country: Country
    time_zone: Zone
    evses: tuple[EvseTold, ...]


class PartyTold(_Told):
    """`token` is what the party sends to us, `commands_token` what we send to it.

    Its CDRs are accepted when they differ from our price by no more than `tolerance_minor_units`, rounded as it rounds.
    """

    country_code: Country
    party_id: PartyCode
    name: Annotated[str, Field(max_length=120)]
    token: Secret
    commands_url: str | None = None
    commands_token: Secret | None = None
    sends_cdrs: bool = False
    tolerance_minor_units: Annotated[int, Field(ge=0, le=10_000)] = 1
    rounding: PartnerRounding = PartnerRounding.DOCUMENT
    tariffs: tuple[dict[str, Any], ...] = ()
    locations: tuple[LocationTold, ...] = ()


class OperatorTold(_Told):
    """`opening_hold` in minor units of `currency`; country code and party id are those of the operator's eMSP role."""

    name: Annotated[str, Field(max_length=120)]
    country_code: Country
    party_id: PartyCode
    currency: Annotated[str, AfterValidator(_currency)]
    time_zone: Zone
    opening_hold: Annotated[int, Field(gt=0)]


class Onboarding(_Told):
    """All of it."""

    operator: OperatorTold
    parties: tuple[PartyTold, ...] = ()


def read(path: Path) -> Onboarding:
    """The file as told. Raises BadOnboarding."""
    try:
        return checked(json.loads(path.read_text("utf-8"), parse_float=Decimal))
    except (OSError, UnicodeError, ValueError, RecursionError) as error:
        raise BadOnboarding(f"{path} cannot be read: {error}") from None


def checked(content: object) -> Onboarding:
    """The content as told. Raises BadOnboarding with every problem and its place; values are not quoted."""
    try:
        return Onboarding.model_validate(content)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:MOST_PROBLEMS]]
    raise BadOnboarding("; ".join(told))


async def onboard(services: Services, keys: Keys, operator: OperatorId, told: Onboarding) -> None:
    """Register everything under this operator. Raises BadOnboarding for a tariff that cannot be read."""
    business = told.operator
    await services.partners.add_operator(
        Operator(
            operator_id=operator,
            name=business.name,
            country_code=business.country_code,
            party_id=business.party_id,
            currency=business.currency,
            time_zone=business.time_zone,
            opening_hold_minor=business.opening_hold,
        )
    )
    for party in told.parties:
        await _party(services, keys, operator, party)


async def _party(services: Services, keys: Keys, operator: OperatorId, told: PartyTold) -> None:
    token = told.commands_token
    party = await services.partners.add_party(
        Party(
            operator_id=operator,
            id=services.partners.new_party_id(),
            country_code=told.country_code,
            party_id=told.party_id,
            name=told.name,
            token_hash=keys.token_hash(told.token.get_secret_value()),
            commands_url=told.commands_url,
            commands_token_sealed=None if token is None else keys.seal(token.get_secret_value()),
            sends_cdrs=told.sends_cdrs,
            tolerance_minor=told.tolerance_minor_units,
            rounding=told.rounding,
        )
    )
    for tariff in told.tariffs:
        await _tariff(services, operator, party.id, tariff)
    for location in told.locations:
        await services.partners.put_location(operator, party.id, _plan(location))


async def _tariff(services: Services, operator: OperatorId, party: PartyId, tariff: Mapping[str, object]) -> None:
    try:
        await services.tariffs.publish(operator, party, tariff)
    except InvalidInput as refusal:
        raise BadOnboarding(f"tariff {tariff.get('id')!r}, {'.'.join(refusal.path)}: {refusal.reason}") from None


def _plan(told: LocationTold) -> LocationPlan:
    return LocationPlan(
        ocpi_id=told.id,
        name=told.name,
        address=told.address,
        country=told.country,
        time_zone=told.time_zone,
        evses=tuple(
            EvsePlan(
                evse.uid,
                evse.evse_id,
                tuple(
                    ConnectorPlan(one.id, one.standard, one.max_electric_power, next(iter(one.tariff_ids), None))
                    for one in evse.connectors
                ),
                evse.meter_keys,
            )
            for evse in told.evses
        ),
    )
