"""Sessions that charge point operators push (OCPI 2.2.1, Sessions, Receiver interface): PUT, PATCH and GET."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from starlette.routing import Route

from api.ocpi.reading import MOST_KWH, MOST_VOLUME, Fields, named
from api.ocpi.transport import Asked, Door
from api.ocpi.wire import VERSION, Answer, instant, number
from domain.energy import Energy
from domain.errors import InvalidInput
from domain.money import Money
from domain.partners import ChargePoint, Party
from domain.services import Services
from domain.sessions import (
    ChargingSession,
    ChargingSessionStatus,
    MeterReading,
    Recorded,
    SessionChannel,
    SessionPush,
    TheirStatus,
    TokenName,
    declared_periods,
    points_of,
)
from domain.tariffs import ChargingPeriod, DimensionType, parse_record

LONGEST_LOG = 100_000
_PUT_NEEDS = (
    "start_date_time",
    "kwh",
    "cdr_token",
    "location_id",
    "evse_uid",
    "connector_id",
    "status",
    "last_updated",
)
_ENERGY = frozenset({DimensionType.ENERGY, DimensionType.ENERGY_IMPORT, DimensionType.ENERGY_EXPORT})
_SAID = {
    Recorded.CREATED: Answer(message="Created.", http=201),
    Recorded.UPDATED: Answer(message="Updated."),
    Recorded.STALE: Answer(message="Ignored: this is not newer than what is known."),
}
_TOKEN_TYPES = {SessionChannel.APP: "APP_USER", SessionChannel.RFID: "RFID", SessionChannel.AD_HOC: "AD_HOC_USER"}
_ENDS = {
    ChargingSessionStatus.COMPLETED: TheirStatus.COMPLETED,
    ChargingSessionStatus.FAILED: TheirStatus.INVALID,
}


class TokenType(StrEnum):
    """`TokenType`."""

    AD_HOC_USER = "AD_HOC_USER"
    APP_USER = "APP_USER"
    OTHER = "OTHER"
    RFID = "RFID"


def routes(door: Door, services: Services) -> list[Route]:
    """`/2.2.1/receiver/sessions/{country_code}/{party_id}/{session_id}`."""

    async def record(asked: Asked, *, replaces: bool) -> Answer:
        session_id = asked.names["session_id"]
        push = read_push(asked.body, asked.party, session_id, replaces=replaces)
        _, outcome = await services.recording.record(asked.party, push, asked.cause)
        return _SAID[outcome]

    async def put(asked: Asked) -> Answer:
        return await record(asked, replaces=True)

    async def patch(asked: Asked) -> Answer:
        return await record(asked, replaces=False)

    async def get(asked: Asked) -> Answer:
        session = await services.recording.pushed(asked.party, named(asked.names, "session_id", "session"))
        place = await services.partners.charge_point(session.operator_id, session.connector_id)
        log = await services.sessions.log(session.operator_id, session.id, limit=LONGEST_LOG)
        return Answer(written(session, place, log))

    path = f"/{VERSION}/receiver/sessions/{{country_code}}/{{party_id}}/{{session_id}}"
    return [door.route(path, PUT=put, PATCH=patch, GET=get)]


def read_push(body: Mapping[str, object], party: Party, session_id: str, *, replaces: bool) -> SessionPush:
    """A Session object, or the part of one that a PATCH carries. Raises InvalidInput with the path.

    A PUT without `charging_periods` says that there are none; a PATCH without them says nothing about them.
    """
    fields = Fields(body)
    address = Fields({"session_id": session_id})
    fields.matches("id", session_id)
    fields.matches("country_code", party.country_code)
    fields.matches("party_id", party.party_id)
    fields.need(_PUT_NEEDS if replaces else ("last_updated",))
    kwh = fields.number("kwh", MOST_KWH)
    return SessionPush(
        ocpi_id=address.needed("session_id", address.text("session_id")),
        replaces=replaces,
        last_updated=fields.needed("last_updated", fields.instant("last_updated")),
        status=_status(fields),
        started_at=fields.instant("start_date_time"),
        ended_at=fields.instant("end_date_time"),
        energy=None if kwh is None else Energy.from_kwh(kwh),
        token=_token(fields.within("cdr_token")),
        authorization_reference=fields.text("authorization_reference"),
        location=fields.text("location_id"),
        evse_uid=fields.text("evse_uid"),
        connector=fields.text("connector_id"),
        periods=read_periods(body) or (() if replaces or body.get("charging_periods") is not None else None),
        currency=fields.text("currency", 3, 3),
    )


def read_periods(body: Mapping[str, object]) -> tuple[ChargingPeriod, ...]:
    """The charging periods of a Session or a CDR; no volume of energy is negative. Raises InvalidInput."""
    listed = body.get("charging_periods")
    if listed is None:
        return ()
    # A price depends on the periods alone; the rest of the record is told elsewhere.
    never = "2000-01-01T00:00:00Z"
    periods = parse_record({"start_date_time": never, "end_date_time": never, "charging_periods": listed}).periods
    for i, period in enumerate(periods):
        at = ("charging_periods", str(i))
        Fields({"tariff_id": period.tariff_id}, at).text("tariff_id")
        for kind, volume in period.dimensions:
            if not -MOST_VOLUME <= volume <= MOST_VOLUME or (volume < 0 and kind in _ENERGY):
                reason = "Energy is not negative." if volume < 0 else "No charging period is as large as that."
                raise InvalidInput(reason, (*at, "dimensions", kind.value))
    return periods


def written(session: ChargingSession, place: ChargePoint, log: Sequence[MeterReading]) -> dict[str, object]:
    """Our record of a session as a Session object: what was told, what it costs by now, and nothing invented."""
    told = [TheirStatus(row.status) for row in log if row.status]
    object_ = {
        "country_code": place.party.country_code,
        "party_id": place.party.party_id,
        "id": session.ocpi_id,
        "start_date_time": session.started_at and instant(session.started_at),
        "end_date_time": session.ended_at and instant(session.ended_at),
        "kwh": Energy(session.energy_wh).kwh,
        "cdr_token": {
            "country_code": session.token_party[:2],
            "party_id": session.token_party[3:],
            "uid": session.token_uid,
            "type": _TOKEN_TYPES.get(session.channel, "OTHER"),
            "contract_id": session.contract_id or "#NA",
        },
        "auth_method": "COMMAND" if session.authorization_reference else "WHITELIST",
        "authorization_reference": session.authorization_reference,
        "location_id": place.location.ocpi_id,
        "evse_uid": place.evse.uid,
        "connector_id": place.connector.ocpi_id,
        "currency": session.currency,
        "charging_periods": [_period(period) for period in declared_periods(points_of(log))],
        "total_cost": _cost(session),
        "status": _ENDS.get(session.status) or (told[-1] if told else TheirStatus.PENDING),
        "last_updated": instant(session.ocpi_last_updated or session.updated_at),
    }
    return {name: value for name, value in object_.items() if value is not None}


def _status(fields: Fields) -> TheirStatus | None:
    if fields.raw.get("status") == "RESERVED":  # as the 2.2.1 text calls it in places
        return TheirStatus.RESERVATION
    return fields.word("status", TheirStatus)


def _token(fields: Fields | None) -> TokenName | None:
    if fields is None:
        return None
    country_code = fields.needed("country_code", fields.text("country_code", 2, 2))
    party_id = fields.needed("party_id", fields.text("party_id", 3, 3))
    return TokenName(
        owner=(country_code.upper(), party_id.upper()),
        uid=fields.needed("uid", fields.text("uid")),
        contract_id=fields.text("contract_id"),
        is_app=fields.needed("type", fields.word("type", TokenType)) is TokenType.APP_USER,
    )


def _period(period: ChargingPeriod) -> dict[str, object]:
    dimensions = [{"type": kind, "volume": number(volume)} for kind, volume in period.dimensions]
    told: dict[str, object] = {"start_date_time": instant(period.start_at), "dimensions": dimensions}
    return told if period.tariff_id is None else {**told, "tariff_id": period.tariff_id}


def _cost(session: ChargingSession) -> dict[str, object]:
    return {"excl_vat": Money(session.net_minor, session.currency).major, "incl_vat": session.gross.major}
