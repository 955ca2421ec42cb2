"""The whole domain at work: whatever is done in whatever order, every book agrees."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest

from domain.database import Database
from domain.disputes import Dispute, DisputeReason
from domain.drivers import Driver
from domain.errors import DomainError
from domain.sessions import CDR, ChargingSession, ChargingSessionStatus, CommandState, Declared, Reply, TokenName
from domain.sessions.models import ChargerCommand
from domain.sessions.ordering import BEGIN_WITHIN
from domain.wallets import Hold, HoldStatus, Wallet
from tests.domain.sessions.ocpi_objects import NOON, card, component, tariff
from tests.domain.sessions.stage import ACTIVE, CAUSE, COMPLETED, INVALID, Stage, built, euro

FOREIGN = TokenName(("DE", "MSP"), "X", None, is_app=False)


class Day:
    """A random day: each step is one of the things that can happen, refusals included."""

    def __init__(self, stage: Stage, seed: int, drivers: list[Driver]) -> None:
        self.stage, self.dice, self.drivers = stage, Random(seed), drivers
        self.done: list[str] = []
        self.started = 0

    async def step(self) -> None:
        """Two things at once, so that they meet in the store."""
        happenings: list[Callable[[], Awaitable[object]]] = [
            self.plugs_in, self.plugs_in, self.goes_on, self.goes_on, self.goes_on, self.ends, self.ends, self.ends,
            self.starts, self.answers, self.stops, self.bills, self.disputes, self.decides, self.decides, self.tops_up,
            self.reprices, self.pushes_on,
        ]  # fmt: skip
        self.stage.clock.advance(timedelta(minutes=self.dice.randrange(20)))
        chosen = [self.dice.choice(happenings) for _ in range(2)]
        told = await asyncio.gather(*(happening() for happening in chosen), return_exceptions=True)
        for happening, outcome in zip(chosen, told, strict=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, DomainError):
                raise outcome
            self.done.append(f"{happening.__name__}: {type(outcome).__name__}")

    async def one(self, *statuses: ChargingSessionStatus) -> ChargingSession | None:
        found = [one for one in await self.stage.all(ChargingSession) if one.status in statuses and one.ocpi_id]
        return self.dice.choice(found) if found else None

    def minutes(self) -> int:
        return (self.stage.clock.now() - NOON) // timedelta(minutes=1)

    async def plugs_in(self) -> None:
        self.started += 1
        site = self.dice.choice(["L1", "L1", "L9"])
        token = self.dice.choice([card("driver"), card("poor"), FOREIGN])
        facts = {"token": token, "location": site, "started_at": self.stage.clock.now()}
        party = self.stage.cpo if site == "L1" else self.stage.biller
        await self.stage.record(self.stage.push(f"S{self.started}", ACTIVE, self.minutes(), 0, **facts), party)

    async def told(self, status: str) -> None:
        session = await self.one(
            ChargingSessionStatus.CHARGING, ChargingSessionStatus.PARKED, ChargingSessionStatus.STOPPING
        )
        if session is None or session.ocpi_id is None:
            return
        known = {"ends": COMPLETED, "fails": INVALID}.get(status)
        wh = session.energy_wh + self.dice.choice([-1, 0, 500, 5000, 40_000])
        party = await self.stage.services.partners.party(self.stage.operator, session.party_id)
        await self.stage.record(self.stage.patch(session.ocpi_id, known, self.minutes(), wh), party)

    async def goes_on(self) -> None:
        await self.told("goes on")

    async def ends(self) -> None:
        await self.told(self.dice.choice(["ends", "ends", "ends", "fails"]))

    async def starts(self) -> None:
        driver = self.dice.choice(self.drivers)
        self.stage.line.replies = [self.dice.choice(list(Reply))]
        quote = await self.stage.quote(driver, self.dice.randrange(2))
        session = await self.stage.start(f"k{self.dice.randrange(4)}", quote=quote)
        if session.ocpi_id is None and self.dice.random() < 0.7:
            self.started += 1
            reference = session.authorization_reference
            facts = {"authorization_reference": reference, "started_at": self.stage.clock.now()}
            push = self.stage.push(f"S{self.started}", ACTIVE, self.minutes(), 0, **facts)
            await self.stage.record(push)

    async def answers(self) -> None:
        orders = [order for order in await self.stage.all(ChargerCommand) if order.state is not CommandState.NOTED]
        if orders:
            order = self.dice.choice(orders)
            result = self.dice.choice(["ACCEPTED", "REJECTED"])
            await self.stage.services.orders.conclude(self.stage.cpo, order.id, result)

    async def stops(self) -> None:
        session = await self.one(*ChargingSessionStatus)
        if session is not None:
            await self.stage.services.charging.stop(self.stage.operator, session.driver_id, session.id)

    async def bills(self) -> None:
        session = await self.one(*ChargingSessionStatus)
        if session is not None and session.started_at and session.ocpi_id:
            net = self.dice.randrange(3000)
            total = Declared(euro(net), euro(net + net * 19 // 100))
            ends = max(self.stage.clock.now(), session.started_at)
            facts = {"started_at": session.started_at, "ended_at": ends, "total": total}
            push = self.stage.bill(f"C{session.ocpi_id}", session.ocpi_id, net, total.gross.minor, **facts)
            await self.stage.services.recording.bill(self.stage.biller, push, CAUSE)

    async def disputes(self) -> None:
        bills = [cdr for cdr in await self.stage.all(CDR) if cdr.driver_id is not None]
        if bills:
            cdr = self.dice.choice(bills)
            amount = self.dice.choice([None, euro(1), euro(100)])
            assert cdr.driver_id is not None
            await self.stage.services.disputes.submit(
                cdr.operator_id,
                cdr.driver_id,
                cdr.session_id,
                DisputeReason.OTHER,
                "It was wrong.",
                amount,
                str(cdr.id),
            )

    async def decides(self) -> None:
        open_ = [dispute for dispute in await self.stage.all(Dispute) if not dispute.is_decided]
        if open_:
            dispute, desk = self.dice.choice(open_), self.stage.services.disputes
            refund = euro(self.dice.randrange(1, dispute.disputed_minor + 1))
            at, key = (dispute.operator_id, dispute.id, dispute.revision), f"u{self.dice.randrange(99)}"
            if self.dice.random() < 0.2:
                await desk.reject(*at, "No.", "agent")
            else:
                await desk.uphold(*at, self.dice.choice([refund, dispute.disputed]), "Yes.", "agent", key)

    async def tops_up(self) -> None:
        await self.stage.fund(self.dice.choice(self.drivers), self.dice.randrange(1, 2000))

    async def reprices(self) -> None:
        raw = tariff(
            "STANDARD",
            component("ENERGY", str(self.dice.randrange(90) / 100), self.dice.choice([7, 19])),
            component("FLAT", "0.99", 7),
            component("PARKING_TIME", "3.33"),
        )
        await self.stage.services.tariffs.publish(self.stage.operator, self.stage.cpo.id, raw)

    async def evening(self) -> None:
        """Every session that runs comes to its end."""
        stage = self.stage
        for session in await stage.all(ChargingSession):
            if session.is_final or session.ocpi_id is None:
                continue
            party = await stage.services.partners.party(stage.operator, session.party_id)
            push = stage.patch(session.ocpi_id, COMPLETED, self.minutes(), session.energy_wh)
            await stage.record(push, party)
            if party.sends_cdrs:
                at = {"started_at": session.started_at, "ended_at": session.started_at}
                bill = stage.bill(f"E{session.ocpi_id}", session.ocpi_id, 100, 119, **at)
                await stage.services.recording.bill(party, bill, CAUSE)
        stage.clock.advance(BEGIN_WITHIN)
        await stage.services.orders.push_on(stage.operator)

    async def pushes_on(self) -> None:
        await self.stage.services.orders.push_on(self.stage.operator)


@pytest.mark.parametrize("seed", range(4))
async def test_every_book_agrees_after_any_day(stage: Stage, seed: int) -> None:
    day = Day(stage, seed, [stage.driver, await stage.rich_driver("poor", 700)])
    for _ in range(30):
        await day.step()
    await stage.audited()
    assert len({line.split(":")[0] for line in day.done}) > 8, day.done
    await day.evening()
    sessions, holds = await stage.all(ChargingSession), await stage.all(Hold)
    assert [session for session in sessions if not session.is_final] == []
    assert [hold for hold in holds if hold.status is HoldStatus.OPEN] == []
    await stage.audited()


async def test_what_is_assembled_is_closed(database: Database) -> None:
    stage = await built(database)
    assert await stage.all(Wallet)
    await stage.services.close()
