"""The domain put together by hand: what a process needs is built here, once, and handed to its doors."""

from __future__ import annotations

from dataclasses import dataclass

from domain.auditing import Auditor
from domain.clock import Clock
from domain.database import Database
from domain.disputes import DisputeDesk, DisputeService
from domain.drivers import DriverService
from domain.ids import Ids
from domain.ledger import Journal, Sealer
from domain.partners import PartnerService
from domain.payments import Inbox, PaymentGateway, PaymentService
from domain.revenue import RevenueService, SimulationService
from domain.sessions import (
    Arriving,
    Billing,
    ChargerControl,
    ChargingService,
    Checking,
    Feed,
    Guarding,
    OrderService,
    PartnerCreditService,
    QuoteService,
    RecordingService,
    Securing,
    SessionService,
    Tariffing,
)
from domain.tariffs import TariffService
from domain.wallets import WalletService


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door may ask."""

    database: Database
    feed: Feed
    clock: Clock
    drivers: DriverService
    partners: PartnerService
    tariffs: TariffService
    wallets: WalletService
    payments: PaymentService
    inbox: Inbox
    quotes: QuoteService
    charging: ChargingService
    orders: OrderService
    guarding: Guarding
    recording: RecordingService
    partner_credits: PartnerCreditService
    sessions: SessionService
    disputes: DisputeService
    dispute_desk: DisputeDesk
    revenue: RevenueService
    simulation: SimulationService
    sealer: Sealer
    auditor: Auditor

    async def close(self) -> None:
        """Give back every connection."""
        await self.feed.close()
        await self.database.close()


def assemble(
    database: Database, feed: Feed, gateway: PaymentGateway, control: ChargerControl, clock: Clock
) -> Services:
    """All services over one store, one feed, one payment provider and one way to charge points."""
    ids = Ids(clock)
    journal = Journal(clock, ids)
    drivers = DriverService(database, clock, ids)
    partners = PartnerService(database, clock, ids)
    tariffs = TariffService(database, clock, ids)
    wallets = WalletService(database, journal, drivers, clock, ids)
    sealer = Sealer(database, clock, ids)
    securing, tariffing = Securing(wallets), Tariffing(tariffs)
    billing = Billing(partners, Checking(partners, tariffing, clock), securing, journal, clock, ids)
    arriving = Arriving(drivers, partners, tariffs, wallets, securing, clock, ids)
    orders = OrderService(database, partners, drivers, securing, control, feed, clock)
    sessions = SessionService(database, tariffing, feed)
    return Services(
        database=database,
        feed=feed,
        clock=clock,
        drivers=drivers,
        partners=partners,
        tariffs=tariffs,
        wallets=wallets,
        payments=PaymentService(database, wallets, gateway, clock, ids),
        inbox=Inbox(database, clock, ids),
        quotes=QuoteService(database, partners, tariffs, clock, ids),
        charging=ChargingService(database, partners, drivers, securing, orders, feed, clock, ids),
        orders=orders,
        guarding=Guarding(database, securing, feed, clock),
        recording=RecordingService(database, partners, arriving, tariffing, securing, billing, feed, clock),
        partner_credits=PartnerCreditService(database, clock),
        sessions=sessions,
        disputes=DisputeService(database, sessions, wallets, clock, ids),
        dispute_desk=DisputeDesk(database),
        revenue=RevenueService(database, clock),
        simulation=SimulationService(database, sessions),
        sealer=sealer,
        auditor=Auditor(database, wallets, sealer, clock),
    )
