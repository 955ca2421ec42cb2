"""An operator takes a bill of its own back: kept once, in full or not at all, and no money moves by it."""

from __future__ import annotations

import asyncio

import pytest

from domain.database import Database
from domain.errors import InvalidInput
from domain.sessions import CreditPush, Declared
from tests.domain.sessions.biller import billed, take_back
from tests.domain.sessions.stage import Stage, built, euro


@pytest.fixture
async def stage(database: Database) -> Stage:
    return await built(database)


async def refused(stage: Stage, *words: object) -> str:
    """The reason; nothing was stored."""
    before = await stage.everything()
    with pytest.raises(InvalidInput) as refusal:
        await take_back(stage, *words)  # type: ignore[arg-type]
    assert await stage.everything() == before
    return refusal.value.reason


async def test_a_credit_is_kept_and_the_books_stay_as_they_are(stage: Stage) -> None:
    session = await billed(stage)
    money = await stage.money()
    assert await take_back(stage, "C-S1")
    assert await stage.money() == money
    assert len(await stage.cdrs(session)) == 1
    await stage.audited()
    (found,) = await stage.services.sessions.checks_of(stage.operator, [cdr.id for cdr in await stage.cdrs(session)])
    (taken,) = [one for one in found.findings if one.code.value == "taken_back"]
    assert (taken.amount, "C-S1-C" in taken.message) == (euro(595), True)


async def test_told_twice_or_at_once_it_is_kept_once(stage: Stage) -> None:
    await billed(stage)
    told = await asyncio.gather(*(take_back(stage, "C-S1") for _ in range(5)))
    assert sorted(told) == [False] * 4 + [True]
    before = await stage.everything()
    assert not await take_back(stage, "C-S1")
    assert await stage.everything() == before


async def test_a_second_credit_and_the_credit_of_a_credit_are_refused(stage: Stage) -> None:
    await billed(stage)
    await take_back(stage, "C-S1")
    assert (await refused(stage, "C-S1", -500, -595, "OTHER")).startswith("credit_already_given")
    assert (await refused(stage, "C-S1-C", 0, 0, "AGAIN")).startswith("credit_of_credit")
    assert (await refused(stage, "SELF", -1, -1, "SELF")).startswith("credit_of_credit")
    nameless = CreditPush("N", None, Declared(euro(-1), euro(-1)), "{}")
    with pytest.raises(InvalidInput, match="credit_without_reference"):
        await stage.services.partner_credits.take(stage.biller, nameless)


async def test_a_credit_takes_back_all_of_its_bill(stage: Stage) -> None:
    await billed(stage)
    for net, gross in ((-499, -595), (-500, -594), (0, 0)):
        assert "all of its CDR" in await refused(stage, "C-S1", net, gross)
    assert "no credit" in await refused(stage, "C-S0", -500, -595, "C-S1")


async def test_a_credit_may_come_before_its_bill(stage: Stage) -> None:
    assert await take_back(stage, "C-S1")
    session = await billed(stage)
    (found,) = await stage.services.sessions.checks_of(stage.operator, [cdr.id for cdr in await stage.cdrs(session)])
    assert "taken_back" in [one.code.value for one in found.findings]


async def test_credits_of_another_party_say_nothing_about_this_one(stage: Stage) -> None:
    session = await billed(stage)
    push = CreditPush("X", "C-S1", Declared(euro(-500), euro(-595)), "{}")
    assert await stage.services.partner_credits.take(stage.cpo, push)
    (found,) = await stage.services.sessions.checks_of(stage.operator, [cdr.id for cdr in await stage.cdrs(session)])
    assert "taken_back" not in [one.code.value for one in found.findings]
    assert await stage.services.partner_credits.content_of(stage.biller, "X") is None
