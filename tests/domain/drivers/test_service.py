"""Drivers: enrolled once by their subject, known to charge points by their Token."""

from __future__ import annotations

import asyncio

import pytest

from domain.columns import table_of
from domain.drivers import Driver, Token, TokenKind
from domain.ids import DriverId, OperatorId
from domain.wallets import Wallet
from tests.domain.sessions.stage import Stage, built


async def token(stage: Stage, driver: DriverId) -> Token:
    async with stage.database.transaction() as tx:
        return await stage.services.drivers.app_token(tx, stage.operator, driver, ("DE", "TWT"))


async def test_a_subject_is_one_driver_with_one_wallet_even_at_once(stage: Stage) -> None:
    enrol = stage.services.wallets.enrol
    found = await asyncio.gather(*(enrol(stage.operator, "new", f"Name {n}", "EUR") for n in range(4)))
    assert len({driver.id for driver in found}) == 1
    assert len(await stage.all(Driver, subject="new")) == len(await stage.all(Wallet, driver_id=found[0].id)) == 1
    again = await enrol(stage.operator, "new", "Another Name", "EUR")
    assert again == await stage.services.drivers.known(stage.operator, "new")
    assert again.display_name.startswith("Name")


async def test_the_same_subject_at_another_operator_is_somebody_else(stage: Stage) -> None:
    other = await built(stage.database)
    drivers = stage.services.drivers
    mine, theirs = [await drivers.known(place.operator, "driver") for place in (stage, other)]
    assert mine is not None
    assert theirs is not None
    assert mine.id != theirs.id
    assert await drivers.driver(other.operator, mine.id) is None
    assert await drivers.driver(stage.operator, mine.id) == mine
    assert await drivers.known(stage.operator, "nobody") is None


async def test_the_app_token_of_a_driver_is_always_the_same(stage: Stage) -> None:
    tokens = await asyncio.gather(*(token(stage, stage.driver.id) for _ in range(4)))
    assert len({one.id for one in tokens}) == 1
    assert (tokens[0].kind, tokens[0].driver_id, tokens[0].is_valid) == (TokenKind.APP_USER, stage.driver.id, True)
    other = await stage.rich_driver("other", 0)
    assert (await token(stage, other.id)).uid != tokens[0].uid


@pytest.mark.parametrize(
    ("owner", "uid", "is_known"),
    [
        (("DE", "TWT"), "CARD-DRIVER", True),
        (("de", "twt"), "card-driver", True),
        (("DE", "MSP"), "CARD-DRIVER", False),
        (("DE", "TWT"), "CARD-NOBODY", False),
    ],
)
async def test_a_token_is_found_by_owner_and_uid(
    stage: Stage, owner: tuple[str, str], uid: str, is_known: bool
) -> None:
    async with stage.database.read() as reader:
        found = await stage.services.drivers.by_token(reader, stage.operator, owner, uid)
        nowhere = await stage.services.drivers.by_token(reader, OperatorId(stage.driver.id), owner, uid)
    assert (found is not None and found.driver_id == stage.driver.id) is is_known
    assert nowhere is None


async def test_a_token_that_was_withdrawn_is_not_found(stage: Stage) -> None:
    async with stage.database.transaction() as tx:
        tokens = table_of(Token)
        await tx.execute(tokens.update().where(tokens.c.driver_id == stage.driver.id).values(is_valid=False))
    async with stage.database.read() as reader:
        assert await stage.services.drivers.by_token(reader, stage.operator, ("DE", "TWT"), "CARD-DRIVER") is None
