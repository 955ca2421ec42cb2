"""A top-up from the wish to the wallet: real HTTP to the stand-in, real webhooks back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from starlette.applications import Starlette

from api.adyen import AdyenAccount, AdyenGateway
from api.adyen_webhooks import WebhookAccount, routes
from domain.clock import ManualClock
from domain.database import Database
from domain.ids import Ids
from domain.payments import Inbox, Payment, PaymentService, TopUp, TopUpStatus
from tests.api.adyen_account import API_KEY, HMAC_KEY, MERCHANT, PASSWORD, USER, started
from tests.api.serving import listening
from tests.domain.ledger.books import eur
from tests.domain.wallets.purse import Purse


class Shop(Purse):
    """A wallet, the door for webhooks, and a stand-in that knocks there."""

    http: httpx2.AsyncClient
    payments: PaymentService

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.told = asyncio.Semaphore(0)
        self.now = ManualClock(datetime.now(UTC))
        self.inbox = Inbox(database, self.now, Ids(self.now))

    async def top_up(self) -> TopUp:
        return await self.payments.top_up(
            self.operator, self.driver, self.wallet.id, eur(2000), "key-of-the-wish-1", "https://app.example/back", "DE"
        )

    async def look(self, wish: TopUp) -> tuple[TopUp, Payment]:
        return await self.payments.top_up_of(self.operator, wish.id, self.driver)

    async def press(self, wish: TopUp, outcome: str, attempt: int = 1) -> None:
        """What the driver does on the pay page."""
        _, payment = await self.look(wish)
        assert payment.checkout_url
        pressed = await self.http.post(payment.checkout_url, data={"outcome": outcome, "attempt": str(attempt)})
        assert pressed.status_code == 303
        assert pressed.headers["location"].startswith("https://app.example/back")

    async def hear(self, deliveries: int) -> None:
        """Wait for so many deliveries, and let the worker look."""
        for _ in range(deliveries):
            await asyncio.wait_for(self.told.acquire(), 5)
        await self.payments.consider_facts(self.operator)

    async def order(self, **faults: object) -> None:
        assert (await self.http.post("/admin/faults", json=faults)).status_code == 200


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    opened = Shop(database)
    await opened.opened()
    account = WebhookAccount(USER, PASSWORD, (HMAC_KEY,))
    app = Starlette(routes=routes(opened.inbox, opened.operator, account, opened.told.release))
    async with listening(app) as door:
        with started(f"{door}/webhooks/adyen") as standin:
            gateway = AdyenGateway(AdyenAccount(API_KEY, MERCHANT, base_url=standin, timeout_seconds=5))
            opened.payments = PaymentService(database, opened.wallets, gateway, opened.now, Ids(opened.now))
            async with httpx2.AsyncClient(base_url=standin, trust_env=False) as opened.http:
                yield opened
            gateway.close()


async def test_a_driver_pays_and_the_money_is_there_once(shop: Shop) -> None:
    await shop.order(deliveries=["vary_duplicate:2"])
    wish = await shop.top_up()
    assert wish.status is TopUpStatus.ACTION_REQUIRED
    await shop.press(wish, "approve")
    await shop.hear(3)
    assert (await shop.look(wish))[0].status is TopUpStatus.AUTHORISED
    assert await shop.money() == (2000, 0, 0, 0)
    assert await shop.lines() == [("top_up", 2000, 2000)]
    assert await shop.is_sound()


async def test_a_driver_is_declined_and_then_pays(shop: Shop) -> None:
    wish = await shop.top_up()
    await shop.press(wish, "decline")
    await shop.hear(1)
    assert ((await shop.look(wish))[0].status, await shop.money()) == (TopUpStatus.REFUSED, (0, 0, 0, 0))
    await shop.press(wish, "approve", attempt=2)
    await shop.hear(1)
    assert ((await shop.look(wish))[0].status, await shop.money()) == (TopUpStatus.AUTHORISED, (2000, 0, 0, 0))


async def test_a_lost_answer_is_fetched_again_and_the_driver_pays_once(shop: Shop) -> None:
    await shop.order(answers=[{"fault": "charge_then_drop", "times": 1}])
    wish = await shop.top_up()
    assert wish.status is TopUpStatus.PENDING
    shop.now.advance(timedelta(seconds=2))
    assert await shop.payments.push_on(shop.operator) == 1
    assert (await shop.top_up()).status is TopUpStatus.ACTION_REQUIRED
    assert len((await shop.http.get("/admin/books")).json()["sessions"]) == 1
    await shop.press(wish, "approve")
    await shop.hear(1)
    assert await shop.money() == (2000, 0, 0, 0)
    assert await shop.is_sound()
