"""CDRs that charge point operators bill by (OCPI 2.2.1, CDRs, Receiver interface): POST once, GET what was posted."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from urllib.parse import quote

import orjson
from starlette.routing import Route

from api.ocpi.reading import CDR_ID_LENGTH, ID_LENGTH, MOST_HOURS, MOST_KWH, MOST_MONEY, Fields, named
from api.ocpi.sessions import read_periods
from api.ocpi.transport import Asked, Door
from api.ocpi.wire import VERSION, Answer
from domain.energy import Energy
from domain.errors import InvalidInput, NotFound
from domain.meters import SignedData, SignedValue
from domain.money import DIGITS, Money
from domain.partners import Party
from domain.services import Services
from domain.sessions import CdrPush, CreditPush, Declared
from domain.tariffs import canonical_json

LONGEST_SIGNED = 5_000
MOST_SIGNED_VALUES = 500
_PATH = f"/{VERSION}/receiver/cdrs"
_NEEDS = (
    "id",
    "session_id",
    "start_date_time",
    "end_date_time",
    "currency",
    "total_cost",
    "total_energy",
    "total_time",
)


def routes(door: Door, services: Services, public_url: str) -> list[Route]:
    """`POST /2.2.1/receiver/cdrs` and `GET /2.2.1/receiver/cdrs/{cdr_id}`."""

    async def post(asked: Asked) -> Answer:
        push = read_cdr(asked.body, asked.party)
        if isinstance(push, CreditPush):
            is_new = await services.partner_credits.take(asked.party, push)
        else:
            _, is_new = await services.recording.bill(asked.party, push, asked.cause)
        at = {"Location": f"{public_url}/ocpi{_PATH}/{quote(push.ocpi_id, safe='')}"}
        if is_new:
            return Answer(message="Created.", http=201, headers=at)
        return Answer(message="Known already.", headers=at)

    async def get(asked: Asked) -> Answer:
        name = named(asked.names, "cdr_id", "CDR", CDR_ID_LENGTH)
        content = await services.partner_credits.content_of(asked.party, name)
        if content is None:
            cdr = await services.recording.cdr(asked.party, name)
            if not cdr.is_declared:  # one of our own making was not posted here
                raise NotFound("CDR")
            content = cdr.content
        return Answer(orjson.Fragment(content))

    return [door.route(_PATH, POST=post), door.route(f"{_PATH}/{{cdr_id:path}}", GET=get)]


def read_cdr(body: Mapping[str, object], party: Party) -> CdrPush | CreditPush:
    """A CDR object, or a credit. Raises InvalidInput with the path."""
    fields = Fields(body)
    fields.matches("country_code", party.country_code)
    fields.matches("party_id", party.party_id)
    is_credit = fields.flag("credit")
    fields.need(_NEEDS)
    currency = fields.needed("currency", fields.text("currency", 3, 3))
    if currency not in DIGITS:
        raise fields.unfit("currency")
    if is_credit:
        return _credit(fields, currency)
    started_at = fields.needed("start_date_time", fields.instant("start_date_time"))
    ended_at = fields.needed("end_date_time", fields.instant("end_date_time"))
    if ended_at < started_at:
        raise InvalidInput("A session cannot end before it started.", ("end_date_time",))
    connected_hours = Fraction(fields.needed("total_time", fields.number("total_time", MOST_HOURS)))
    parking_hours = Fraction(fields.number("total_parking_time", MOST_HOURS) or 0)
    if parking_hours > connected_hours:
        raise InvalidInput("Parking is part of the whole time.", ("total_parking_time",))
    return CdrPush(
        ocpi_id=fields.needed("id", fields.text("id", CDR_ID_LENGTH)),
        session=fields.needed("session_id", fields.text("session_id")),
        started_at=started_at,
        ended_at=ended_at,
        energy=Energy.from_kwh(fields.needed("total_energy", fields.number("total_energy", MOST_KWH))),
        total=fields.needed("total_cost", _declared(fields, "total_cost", currency)),
        energy_cost=_declared(fields, "total_energy_cost", currency),
        time_cost=_declared(fields, "total_time_cost", currency),
        parking_cost=_declared(fields, "total_parking_cost", currency),
        fixed_cost=_declared(fields, "total_fixed_cost", currency),
        connected_hours=connected_hours,
        parking_hours=parking_hours,
        periods=read_periods(body),
        signed=_signed(fields.within("signed_data")),
        content=canonical_json(body),
    )


def _credit(fields: Fields, currency: str) -> CreditPush:
    """A CDR copied but for its negative total."""
    price = fields.needed("total_cost", fields.within("total_cost"))
    net = price.needed("excl_vat", price.number("excl_vat", 0, -MOST_MONEY))
    gross = price.number("incl_vat", 0, -MOST_MONEY)
    gross = net if gross is None else gross
    if gross > net:
        raise InvalidInput("With tax no less can be taken back than without.", (*price.path, "incl_vat"))
    return CreditPush(
        ocpi_id=fields.needed("id", fields.text("id", CDR_ID_LENGTH)),
        credits=fields.text("credit_reference_id", CDR_ID_LENGTH),
        total=Declared(net=Money.rounded(net, currency), gross=Money.rounded(gross, currency)),
        content=canonical_json(fields.raw),
    )


def _signed(fields: Fields | None) -> SignedData | None:
    """Signed meter values, every text kept as it came; editions differ in how long one may be."""
    if fields is None:
        return None
    listed = fields.needed("signed_values", fields.each("signed_values", MOST_SIGNED_VALUES))
    return SignedData(
        method=fields.needed("encoding_method", fields.words("encoding_method", ID_LENGTH)),
        key=fields.words("public_key", LONGEST_SIGNED),
        values=tuple(
            SignedValue(
                nature=value.needed("nature", value.words("nature", ID_LENGTH)),
                signed=value.needed("signed_data", value.words("signed_data", LONGEST_SIGNED)),
            )
            for value in listed
        ),
    )


def _declared(fields: Fields, name: str, currency: str) -> Declared | None:
    """A Price, each side rounded once; without `incl_vat` there is no tax on it."""
    price = fields.within(name)
    if price is None:
        return None
    net = price.needed("excl_vat", price.number("excl_vat", MOST_MONEY))
    gross = price.number("incl_vat", MOST_MONEY)
    if gross is None:
        gross = net
    if gross < net:
        raise InvalidInput("With tax it cannot be less than without.", (*price.path, "incl_vat"))
    return Declared(net=Money.rounded(net, currency), gross=Money.rounded(gross, currency))
