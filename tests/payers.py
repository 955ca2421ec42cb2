"""Drivers who pay in as an app does: with one key for each wish, asking again for as long as nothing is known."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2

from tests.people import TOP_UP, Driver
from tests.processes import Json, until

LOOKS_A_SECOND = 4
STATUS = "query ($id: ID!) { node(id: $id) { ... on TopUp { status nextAction { url } } } }"


@dataclass
class Wish:
    """A top-up, and every status its driver was told before there was a page to pay on, in turn."""

    payer: Payer
    id: str
    minor: int
    told: list[str] = field(default_factory=list)
    page: str = ""
    was_paid: bool = False

    @property
    def session_id(self) -> str:
        """The Checkout session that its page shows."""
        return urlsplit(self.page).path.rpartition("/")[2]


class Payer:
    """One driver who pays in."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self._wallet = ""

    async def opens(self) -> None:
        """Open the app for the first time: there is a wallet from now on."""
        self._wallet = (await self.driver.wallet())["id"]

    async def asks(self, minor: int, key: str) -> Wish:
        """Ask until the wish is noted; who is away or busy is asked again under the same key."""
        wanted = self._wanted(minor, key)

        async def noted() -> Json | None:
            answer = (await self.driver.post(TOP_UP, input=wanted)).json()
            if is_busy(answer):
                return None
            assert "errors" not in answer, answer
            result: Json = answer["data"]["topUpWallet"]
            if result["__typename"] == "PaymentServiceUnavailable":
                return None
            assert result["__typename"] == "TopUp", result
            return result

        found = await until(noted)
        assert found is not None
        return Wish(self, found["id"], minor, [found["status"]])

    async def looks_for_the_page(self, wish: Wish, seconds: int) -> bool:
        """Look, for so long, until there is a page to pay on."""
        for _ in range(seconds * LOOKS_A_SECOND):
            answer = (await self.driver.post(STATUS, id=wish.id)).json()
            if not is_busy(answer):
                now = answer["data"]["node"]
                wish.told.append(now["status"])
                if now["nextAction"]:
                    wish.page = now["nextAction"]["url"]
                    return True
            await asyncio.sleep(1 / LOOKS_A_SECOND)
        return False

    async def presses(self, wish: Wish, outcome: str, attempt: int) -> None:
        """On the provider's page, as a browser would."""
        form = {"outcome": outcome, "attempt": str(attempt)}
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as browser:
            assert (await browser.post(wish.page, data=form)).status_code == 303

    async def status_of(self, wish: Wish) -> str:
        status: str = (await self.driver.ask(STATUS, id=wish.id))["node"]["status"]
        return status

    async def raw(self, minor: int) -> httpx2.Response:
        """One wish, and whatever is answered."""
        return await self.driver.post(TOP_UP, input=self._wanted(minor, uuid.uuid4().hex))

    def _wanted(self, minor: int, key: str) -> Json:
        amount = {"minorUnits": str(minor), "currency": "EUR"}
        return {"idempotencyKey": key, "walletId": self._wallet, "amount": amount, "returnUrl": self.driver.back}


def is_busy(answer: Json) -> bool:
    """Whether nothing was changed, and the same is to be asked again."""
    return {error["extensions"]["code"] for error in answer.get("errors", ())} == {"UNAVAILABLE"}
