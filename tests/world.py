"""A small world over an empty store: an operator, two charge point operators with places and prices, a funded driver.

    world = await build(database)

Everything is real but the payment provider and the way to charge points, which do as they are told.
"""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from api.keys import Keys
from domain.clock import Clock, SystemClock
from domain.database import Database
from domain.drivers import Driver, Token
from domain.ids import ConnectorId, DriverId, OperatorId, PaymentId
from domain.ledger import Cause
from domain.money import Money
from domain.partners import ConnectorPlan, EvsePlan, Location, LocationPlan, Operator, Party
from domain.payments import Answered, CheckoutRequest, Outcome
from domain.services import Services, assemble
from domain.sessions import ChargerControl, Feed, InProcessFeed, Reply, Start, Stop
from domain.wallets import Wallet, WalletBalance

OPERATOR = OperatorId(UUID("01900000-0000-7000-8000-000000000001"))
KEYS = Keys(b"a root secret of the world of tests")
CPO_TOKEN, BILLER_TOKEN, COMMANDS_TOKEN = "cpo-token", "biller-token", "commands-token"
COMMANDS_URL = "http://127.0.0.1:9/ocpi/2.2.1/commands"
MERCHANT = "TestMerchant"
SEED = Cause(actor="test", request_id="seed")
EVSES = ("EVSE-1", "EVSE-2", "EVSE-3")

TARIFF: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "ABC",
    "id": "CITY",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [
                {"type": "ENERGY", "price": Decimal("0.40"), "vat": Decimal("19.0"), "step_size": 1},
                {"type": "PARKING_TIME", "price": Decimal("6.00"), "vat": Decimal("19.0"), "step_size": 1},
            ]
        }
    ],
    "last_updated": "2026-01-01T00:00:00Z",
}
"""0.40 a kWh and 6.00 an hour parked without charging, both with 19 % on top."""


class ScriptedGateway:
    """A payment provider that answers what it was told to, or opens a checkout."""

    merchant_account = MERCHANT

    def __init__(self) -> None:
        self.requests: list[tuple[CheckoutRequest, UUID]] = []
        self.outcomes: deque[Outcome] = deque()

    async def open_checkout(self, request: CheckoutRequest, key: UUID) -> Outcome:
        self.requests.append((request, key))
        return self.outcomes.popleft() if self.outcomes else Answered(f"CS{key.hex}", f"https://pay.example/{key}")


class ScriptedControl:
    """A way to charge points that replies what it was told to, or accepts."""

    def __init__(self) -> None:
        self.orders: list[Start | Stop] = []
        self.replies: deque[Reply] = deque()

    async def send(self, order: Start | Stop) -> Reply:
        self.orders.append(order)
        return self.replies.popleft() if self.replies else Reply.ACCEPTED


@dataclass
class World:
    """What was built. `party` is billed by our pricing, `biller` sends CDRs; both have the same kind of place."""

    services: Services
    operator: Operator
    party: Party
    biller: Party
    location: Location
    biller_location: Location
    connectors: list[ConnectorId]
    driver: Driver
    wallet: Wallet
    token: Token
    gateway: ScriptedGateway = field(default_factory=ScriptedGateway)
    control: ChargerControl = field(default_factory=ScriptedControl)

    async def balance(self) -> WalletBalance:
        return await self.services.wallets.balance(self.wallet)


async def build(
    database: Database,
    *,
    clock: Clock | None = None,
    control: ChargerControl | None = None,
    feed: Feed | None = None,
    funds: str = "100.00",
    commands_url: str = COMMANDS_URL,
) -> World:
    """Services over `database` and everything a session needs; `funds` is what the driver has paid in."""
    gateway, control = ScriptedGateway(), control or ScriptedControl()
    services = assemble(database, feed or InProcessFeed(), gateway, control, clock or SystemClock())
    operator = await services.partners.add_operator(
        Operator(
            operator_id=OPERATOR,
            name="Tallywatt",
            country_code="DE",
            party_id="TWT",
            currency="EUR",
            time_zone="Europe/Berlin",
            opening_hold_minor=2000,
        )
    )
    party = await add_party(services, "ABC", CPO_TOKEN, commands_url)
    biller = await add_party(services, "BIL", BILLER_TOKEN, commands_url, sends_cdrs=True)
    driver = await services.wallets.enrol(OPERATOR, "driver-1", "Dora Driver", "EUR")
    wallet, token = await fund(services, operator, driver.id, funds)
    location = await add_place(services, party, "LOC-1")
    biller_location = await add_place(services, biller, "LOC-9")
    return World(
        services=services,
        operator=operator,
        party=party,
        biller=biller,
        location=location,
        biller_location=biller_location,
        connectors=[await connector(services, party, uid) for uid in EVSES],
        driver=driver,
        wallet=wallet,
        token=token,
        gateway=gateway,
        control=control,
    )


async def add_party(
    services: Services, party_id: str, token: str, commands_url: str | None, *, sends_cdrs: bool = False
) -> Party:
    """A charge point operator that speaks with this token."""
    return await services.partners.add_party(
        Party(
            operator_id=OPERATOR,
            id=services.partners.new_party_id(),
            country_code="DE",
            party_id=party_id,
            name=f"Charge points of {party_id}",
            token_hash=KEYS.token_hash(token),
            commands_url=commands_url,
            commands_token_sealed=KEYS.seal(COMMANDS_TOKEN),
            sends_cdrs=sends_cdrs,
        )
    )


async def add_place(services: Services, party: Party, ocpi_id: str) -> Location:
    """A location with three EVSEs of one connector each, all at the one tariff."""
    await services.tariffs.publish(OPERATOR, party.id, {**TARIFF, "party_id": party.party_id})
    plug = (ConnectorPlan("1", "IEC_62196_T2", 22_000, "CITY"),)
    evses = tuple(EvsePlan(uid, f"DE*{party.party_id}*E{number}", plug) for number, uid in enumerate(EVSES, 1))
    plan = LocationPlan(ocpi_id, "Market square", "Markt 1, Berlin", "DE", "Europe/Berlin", evses)
    return await services.partners.put_location(OPERATOR, party.id, plan)


async def connector(services: Services, party: Party, evse_uid: str) -> ConnectorId:
    """The connector of an EVSE at the party's location."""
    location = {"ABC": "LOC-1", "BIL": "LOC-9"}[party.party_id]
    async with services.database.read() as reader:
        place = await services.partners.charge_point_at(reader, OPERATOR, party.id, location, evse_uid, "1")
    assert place is not None
    return place.connector.id


async def fund(services: Services, operator: Operator, driver: DriverId, amount: str) -> tuple[Wallet, Token]:
    """The driver's wallet with this much paid in, and the Token of their app."""
    async with services.database.transaction() as tx:
        wallet = await services.wallets.open(tx, OPERATOR, driver, operator.currency)
        money = Money.rounded(Decimal(amount), operator.currency)
        if money:
            await services.wallets.money.pay_in(tx, wallet, PaymentId(uuid.uuid4()), 1, money, MERCHANT, SEED)
        token = await services.drivers.app_token(tx, OPERATOR, driver, operator.emsp_role)
    return wallet, token


def at(text: str) -> datetime:
    """An instant of a Monday: `at("08:30")`."""
    return datetime.fromisoformat(f"2026-05-04T{text}").replace(tzinfo=UTC)
