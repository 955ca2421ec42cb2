"""A wallet with a payment service whose provider answers by a script, and facts told as Adyen tells them."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlmodel import SQLModel

from domain.columns import table_of
from domain.database import Database
from domain.ids import Ids
from domain.ledger import chart
from domain.payments import (
    Answered,
    AttemptState,
    CheckoutRequest,
    FactState,
    Inbox,
    Outcome,
    Payment,
    PaymentAttempt,
    PaymentService,
    PspFact,
    SignedItem,
    TopUp,
    TopUpStatus,
)
from tests.domain.crashes import Crash
from tests.domain.ledger.books import eur
from tests.domain.wallets.purse import ACCOUNT, Purse

KEY, RETURN_URL = "key-of-the-wish-1", "https://app.example/back"
PSP = "KV4XBKS9VDKFJJ65"


Record = TypeVar("Record", bound=SQLModel)


class ScriptedGateway:
    """Answers what the script says, then opens checkouts; remembers every call."""

    merchant_account = ACCOUNT

    def __init__(self) -> None:
        self.script: list[Outcome] = []
        self.calls: list[tuple[CheckoutRequest, UUID]] = []
        self.called = asyncio.Event()
        self.going_on: asyncio.Event | None = None
        self.is_deadly = False

    async def open_checkout(self, request: CheckoutRequest, key: UUID) -> Outcome:
        self.calls.append((request, key))
        self.called.set()
        if self.is_deadly:
            raise Crash
        if self.going_on is not None:
            await self.going_on.wait()
        return self.script.pop(0) if self.script else Answered(f"CS-{key}", f"https://pay.example/{key}")

    @property
    def keys(self) -> set[UUID]:
        return {key for _, key in self.calls}


@dataclass(frozen=True)
class Fact:
    """What a test tells; empty fields are what fits our own row."""

    event: str = "AUTHORISATION"
    success: bool = True
    psp: str = PSP
    minor: int | None = None
    currency: str = "EUR"
    account: str = ACCOUNT
    date: str = "2026-06-01T12:00:00+02:00"


class Till(Purse):
    """Pays in through the provider."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        ids = Ids(self.clock)
        self.gateway = ScriptedGateway()
        self.payments = PaymentService(database, self.wallets, self.gateway, self.clock, ids)
        self.inbox = Inbox(database, self.clock, ids)

    async def opened(self) -> Till:
        await super().opened()
        return self

    async def top_up(self, minor: int = 2000, key: str = KEY, return_url: str = RETURN_URL) -> TopUp:
        return await self.payments.top_up(self.operator, self.driver, self.wallet.id, eur(minor), key, return_url, "DE")

    async def wish(self) -> TopUp:
        return (await self.rows(TopUp))[0]

    async def status(self) -> TopUpStatus:
        return (await self.wish()).status

    async def attempt(self) -> PaymentAttempt:
        (attempt,) = await self.rows(PaymentAttempt)
        return attempt

    async def rows(self, model: type[Record]) -> list[Record]:
        table = table_of(model)
        async with self.database.read() as reader:
            return await reader.list(model, select(table).where(table.c.operator_id == self.operator))

    async def keep(self, *facts: Fact, reference: str | None = None) -> int:
        """Into the inbox, each as a delivery of its own; how many were new."""
        about = reference or f"topup-{(await self.wish()).payment_id}"
        new = 0
        for fact in facts:
            self.clock.advance(timedelta(milliseconds=1))  # ids follow each other to the millisecond
            new += await self.inbox.keep(self.operator, b"{}", [item(fact, about)])
        return new

    async def tell(self, *facts: Fact, reference: str | None = None) -> list[FactState]:
        """Into the inbox and out again; what became of all facts so far."""
        await self.keep(*facts, reference=reference)
        await self.payments.consider_facts(self.operator)
        return await self.facts()

    async def facts(self) -> list[FactState]:
        return [fact.state for fact in sorted(await self.rows(PspFact), key=lambda fact: fact.id)]

    async def push_on(self, after: timedelta = timedelta(seconds=2)) -> AttemptState:
        """What the worker does, some time later."""
        self.clock.advance(after)
        await self.payments.push_on(self.operator)
        return (await self.attempt()).state

    async def position(self) -> tuple[str, int, int, str | None, tuple[int, int, int, int], int]:
        """Everything that facts decide."""
        (payment,) = await self.rows(Payment)
        return (
            await self.status(),
            payment.captured_minor,
            payment.position_version,
            payment.psp_reference,
            await self.money(),
            await self.balance(chart.SUSPENSE),
        )


def item(fact: Fact, reference: str | None, minor: int = 2000) -> SignedItem:
    money = replace(eur(0), minor=minor if fact.minor is None else fact.minor, currency=fact.currency)
    return SignedItem(
        item_sha256=hashlib.sha256(f"{fact}{reference}".encode("utf-8", "surrogatepass")).hexdigest(),
        event_code=fact.event,
        success=fact.success,
        psp_reference=fact.psp,
        original_reference=None,
        merchant_account=fact.account,
        merchant_reference=reference,
        value_sent=str(money.minor),
        amount=money,
        currency=fact.currency,
        unsigned="{}",
    )
