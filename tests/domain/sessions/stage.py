"""A small business to test with: two operators of charge points, a foreign issuer, drivers with money, a scripted line.

`cpo` lets us bill its sessions, `biller` sends its own CDRs. Every verb goes through the real services and the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import select

from domain.auditing import audit
from domain.clock import ManualClock
from domain.columns import table_of
from domain.database import Database, Record
from domain.drivers import Driver, Token, TokenKind
from domain.energy import Energy
from domain.ids import ConnectorId, DriverId, EvseId, LocationId, OperatorId, PartyId, PaymentId, TokenId
from domain.ledger import Account, Cause, balance
from domain.money import Money
from domain.partners import ConnectorPlan, EvsePlan, LocationPlan, Operator, Party
from domain.services import Services, assemble
from domain.sessions import (
    CDR,
    CdrPush,
    ChargingSession,
    Declared,
    InProcessFeed,
    Quote,
    Recorded,
    SessionPush,
    TheirStatus,
    TokenName,
)
from domain.wallets import Hold, Wallet, WalletBalance
from tests.domain.rows import everything
from tests.domain.sessions.ocpi_objects import NOON, STANDARD, after, card, component, tariff
from tests.domain.sessions.outside import Line, NoGateway

CAUSE = Cause(actor="test", request_id="r-1")
ACTIVE, COMPLETED, INVALID = TheirStatus.ACTIVE, TheirStatus.COMPLETED, TheirStatus.INVALID


def euro(cents: int) -> Money:
    return Money(cents, "EUR")


@dataclass
class Stage:
    database: Database
    clock: ManualClock
    line: Line
    feed: InProcessFeed
    services: Services
    operator: OperatorId
    cpo: Party
    biller: Party
    issuer: Party
    driver: Driver
    location: LocationId
    evses: list[EvseId]
    connectors: list[ConnectorId]
    """Three of the CPO, of which the last has no tariff, and one of the biller."""

    # --- the registry -----------------------------------------------------------------------------------------

    async def rich_driver(self, name: str, cents: int) -> Driver:
        """A driver with an RFID card `CARD-name` and money."""
        driver = await self.services.wallets.enrol(self.operator, name, name.title(), "EUR")
        async with self.database.transaction() as tx:
            await tx.insert(
                Token(
                    operator_id=self.operator,
                    id=TokenId(uuid4()),
                    driver_id=driver.id,
                    country_code="DE",
                    party_id="TWT",
                    uid=f"CARD-{name.upper()}",
                    kind=TokenKind.RFID,
                    contract_id=f"DE-TWT-C{name.upper()}",
                )
            )
        await self.fund(driver, cents)
        return driver

    async def fund(self, driver: Driver, cents: int) -> None:
        if not cents:
            return
        wallet = await self.wallet(driver)
        async with self.database.transaction() as tx:
            payment = PaymentId(uuid4())
            await self.services.wallets.money.pay_in(tx, wallet, payment, 1, euro(cents), "TestMerchant", CAUSE)

    async def wallet(self, driver: Driver | None = None) -> Wallet:
        (wallet,) = await self.services.wallets.wallets_of(self.operator, (driver or self.driver).id)
        return wallet

    async def money(self, driver: Driver | None = None) -> WalletBalance:
        return await self.services.wallets.balance(await self.wallet(driver))

    async def spendable(self, driver: Driver | None = None) -> int:
        return (await self.money(driver)).available.minor

    # --- what operators push ----------------------------------------------------------------------------------

    def push(self, name: str, status: TheirStatus | None, minutes: int, wh: int | None, **more: object) -> SessionPush:
        """A PUT at `minutes` after noon of a session of the driver's card at the first connector."""
        facts: dict[str, Any] = {
            "ocpi_id": name,
            "replaces": True,
            "last_updated": after(minutes),
            "status": status,
            "started_at": NOON,
            "energy": None if wh is None else Energy(wh),
            "token": card("driver"),
            "location": "L1",
            "evse_uid": "E1",
            "connector": "1",
        }
        facts.update(more)
        return SessionPush(**facts)

    def patch(self, name: str, status: TheirStatus | None, minutes: int, wh: int | None, **more: object) -> SessionPush:
        energy = None if wh is None else Energy(wh)
        facts: dict[str, Any] = {"status": status, "energy": energy}
        facts.update(more)
        return SessionPush(ocpi_id=name, replaces=False, last_updated=after(minutes), **facts)

    async def record(self, push: SessionPush, party: Party | None = None) -> tuple[ChargingSession, Recorded]:
        return await self.services.recording.record(party or self.cpo, push, CAUSE)

    async def charged(self, name: str = "S1", wh: int = 10_000, **more: object) -> ChargingSession:
        """A session by card from noon to one o'clock, billed by us."""
        await self.record(self.push(name, ACTIVE, 0, 0, **more))
        session, _ = await self.record(self.push(name, COMPLETED, 60, wh, ended_at=after(60), **more))
        return session

    def bill(self, name: str, session: str, net: int, gross: int, **more: object) -> CdrPush:
        """A CDR of the biller: one hour, a quarter of it parked."""
        facts: dict[str, Any] = {
            "ocpi_id": name,
            "session": session,
            "started_at": NOON,
            "ended_at": after(60),
            "energy": Energy(10_000),
            "total": Declared(euro(net), euro(gross)),
            "energy_cost": None,
            "time_cost": None,
            "parking_cost": None,
            "fixed_cost": None,
            "connected_hours": Fraction(1),
            "parking_hours": Fraction(1, 4),
            "periods": (),
            "signed": None,
        }
        facts.update(more)
        content = orjson.dumps({"id": name, "net": net, "gross": gross}).decode()
        return CdrPush(**facts, content=content)

    # --- what the driver does ---------------------------------------------------------------------------------

    async def quote(self, driver: Driver | None = None, connector: int = 0) -> Quote:
        who = (driver or self.driver).id
        return await self.services.quotes.quote(self.operator, who, self.connectors[connector], None)

    async def start(self, key: str = "k1", driver: Driver | None = None, quote: Quote | None = None) -> ChargingSession:
        quote = quote or await self.quote(driver)
        return await self.services.charging.start(self.operator, quote.driver_id, quote.id, key, CAUSE)

    async def begins(self, session: ChargingSession) -> tuple[ChargingSession, Recorded]:
        """The charge point tells that the session we asked for has begun."""
        token = TokenName(("de", "twt"), session.token_uid, session.contract_id, is_app=True)
        reference = session.authorization_reference
        return await self.record(self.push("S1", ACTIVE, 0, 0, token=token, authorization_reference=reference))

    async def begun(self) -> ChargingSession:
        session, _ = await self.begins(await self.start())
        return session

    async def stop(self, session: ChargingSession) -> ChargingSession:
        return await self.services.charging.stop(self.operator, self.driver.id, session.id)

    async def session(self, found: ChargingSession, driver: DriverId | None = None) -> ChargingSession:
        session = await self.services.sessions.session(self.operator, found.id, driver)
        assert session is not None
        return session

    # --- looking ----------------------------------------------------------------------------------------------

    async def all(self, model: type[Record], **columns: object) -> list[Record]:
        """Rows of a table with these values, by primary key."""
        table = table_of(model)
        statement = select(table).where(*(table.c[name] == value for name, value in columns.items()))
        async with self.database.read() as reader:
            return await reader.list(model, statement.order_by(*table.primary_key.columns))

    async def one(self, model: type[Record], **columns: object) -> Record:
        (found,) = await self.all(model, **columns)
        return found

    async def cdrs(self, session: ChargingSession) -> list[CDR]:
        return await self.services.sessions.cdrs_of(self.operator, [session.id])

    async def held(self, session: ChargingSession) -> Hold:
        return await self.one(Hold, charging_session_id=session.id)

    async def lies_in(self, account: Account) -> int:
        async with self.database.read() as reader:
            return (await balance(reader, self.operator, account, "EUR")).minor

    async def everything(self) -> dict[str, list[str]]:
        return await everything(self.database)

    async def audited(self) -> None:
        """All books agree, and there was something to look at."""
        async with self.database.snapshot() as reader:
            verdicts = await audit(reader)
        assert [str(verdict.broken) for verdict in verdicts if verdict.broken] == []
        assert sum(verdict.looked_at for verdict in verdicts) > 0


async def built(database: Database, operator: UUID | None = None, zone: str = "Europe/Berlin") -> Stage:
    """The stage at noon, UTC."""
    clock, line, feed = ManualClock(NOON), Line(), InProcessFeed()
    services = assemble(database, feed, NoGateway(), line, clock)
    operator_id = OperatorId(operator or uuid4())
    await services.partners.add_operator(
        Operator(
            operator_id=operator_id,
            name="Tallywatt Test",
            country_code="DE",
            party_id="TWT",
            currency="EUR",
            time_zone=zone,
            opening_hold_minor=1000,
        )
    )
    parties = [
        await services.partners.add_party(
            Party(
                operator_id=operator_id,
                id=PartyId(uuid4()),
                country_code="DE",
                party_id=name,
                name=name.title(),
                token_hash=f"{operator_id.hex}{name}",
                commands_url=f"https://{name.lower()}.example/commands",
                sends_cdrs=name == "BIL",
            )
        )
        for name in ("CPO", "BIL", "MSP")
    ]
    cpo, biller, issuer = parties
    await services.tariffs.publish(operator_id, cpo.id, STANDARD)
    await services.tariffs.publish(operator_id, biller.id, tariff("STANDARD", component("ENERGY", "0.50")))
    here = await services.partners.put_location(operator_id, cpo.id, _site("L1", ["STANDARD", "STANDARD", None]))
    there = await services.partners.put_location(operator_id, biller.id, _site("L9", ["STANDARD"]))
    evses = [evse for place in (here, there) for evse in await services.partners.evses_of(operator_id, [place.id])]
    plugs = [plug for evse in evses for plug in await services.partners.connectors_of(operator_id, [evse.id])]
    driver = await services.wallets.enrol(operator_id, "driver", "Driver", "EUR")
    stage = Stage(
        database=database,
        clock=clock,
        line=line,
        feed=feed,
        services=services,
        operator=operator_id,
        cpo=cpo,
        biller=biller,
        issuer=issuer,
        driver=driver,
        location=here.id,
        evses=[evse.id for evse in evses],
        connectors=[plug.id for plug in plugs],
    )
    stage.driver = await stage.rich_driver("driver", 5000)
    return stage


def _site(name: str, tariffs: Sequence[str | None]) -> LocationPlan:
    evses = tuple(
        EvsePlan(f"E{number}", f"DE*TWT*{name}*{number}", (ConnectorPlan("1", "IEC_62196_T2", 11000, offer),))
        for number, offer in enumerate(tariffs, 1)
    )
    return LocationPlan(name, f"Site {name}", "Main Street 1", "DE", "Europe/Berlin", evses)
