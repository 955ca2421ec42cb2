"""A driver pays in a real browser: the hosted page, the bank's page (3-D Secure), and back to where the app waits."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.chromium import Page, chromium
from tests.people import Driver
from tests.processes import until
from tests.stack import Stack

pytestmark = pytest.mark.browser

TOPPED_UP = 5000
CARD, ASKS_ITS_BANK = "4111 1111 1111 1111", "4212 3456 7890 1237"


async def pays(page: Page, url: str, number: str) -> None:
    """Type a card in and approve."""
    await page.open(url)
    await page.title("50.00 EUR")
    await page.type("number", number)
    assert await page.value("document.forms[0].number.value") == number
    await page.press("Approve")


def no_card_was_kept(home: Path) -> None:
    """Neither the store nor a log of ours has seen a number."""
    ours = {path.name: path.read_bytes() for path in home.iterdir() if path.name.startswith(("gateway", "tallywatt"))}
    assert {"gateway-0.log", "tallywatt.sqlite3"} <= ours.keys()
    for number in (CARD, ASKS_ITS_BANK):
        for spelt in (number, number.replace(" ", "")):
            assert [name for name, text in ours.items() if spelt.encode() in text] == []


async def comes_to_hold(driver: Driver, minor: int) -> None:
    async def holds() -> bool:
        return await driver.balance() == minor

    await until(holds)


async def test_a_driver_pays_on_the_page_and_at_the_bank(sqlite_url: str, tmp_path: Path) -> None:
    async with Stack(sqlite_url, tmp_path) as stack, chromium(tmp_path) as page:
        ada, back = stack.driver("ada"), f"{stack.public_url}/?sessionId="
        wish = await ada.wish(TOPPED_UP)
        url = wish["nextAction"]["url"]

        await pays(page, url, ASKS_ITS_BANK)
        await page.title("Is it you?")
        assert "50.00 EUR" in await page.value("document.body.innerText")
        await page.press("It is not me")
        refused = await page.at(back)
        assert await ada.balance("total") == 0

        await pays(page, url, ASKS_ITS_BANK)
        await page.title("Is it you?")
        await page.press("It is me")
        approved = await page.at(back)
        results = [parse_qs(urlsplit(address).query)["sessionResult"] for address in (refused, approved)]
        assert results[0] != results[1]
        await comes_to_hold(ada, TOPPED_UP)

        await page.open(url)
        await page.title("Paid")
        second = await ada.wish(TOPPED_UP)
        await pays(page, second["nextAction"]["url"], CARD)
        await page.at(back)
        await comes_to_hold(ada, 2 * TOPPED_UP)

        books = await stack.books(only="shoppers")
        assert books["totals"]["EUR"]["left_minor"] == 2 * TOPPED_UP
        assert stack.tallywatt("audit").returncode == 0
        no_card_was_kept(tmp_path)
