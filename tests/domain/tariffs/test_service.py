"""Tariffs as they are kept: each content once, for ever, and one edition on offer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvalidInput, UnknownTariff
from domain.tariffs import PublishedTariff, TariffEdition, tariff_of
from tests.domain.sessions.ocpi_objects import STANDARD, component, tariff
from tests.domain.sessions.stage import Stage


async def publish(stage: Stage, raw: dict[str, Any]) -> TariffEdition:
    return await stage.services.tariffs.publish(stage.operator, stage.cpo.id, raw)


async def offered(stage: Stage, name: str) -> TariffEdition:
    async with stage.database.read() as reader:
        return await stage.services.tariffs.offered(reader, stage.operator, stage.cpo.id, name)


async def test_the_same_content_is_one_edition(stage: Stage) -> None:
    first = await publish(stage, tariff("T1", component("ENERGY", "0.50")))
    before = await stage.everything()
    stage.clock.advance(timedelta(days=1))
    assert await publish(stage, tariff("T1", component("ENERGY", "0.5000"))) == first
    assert await stage.everything() == before
    assert len(await stage.all(TariffEdition, ocpi_id="T1")) == 1


async def test_the_same_content_at_once_is_one_edition(stage: Stage) -> None:
    raw = tariff("T1", component("ENERGY", "0.50"))
    editions = await asyncio.gather(*(publish(stage, raw) for _ in range(4)))
    assert len({edition.id for edition in editions}) == 1
    assert len(await stage.all(TariffEdition, ocpi_id="T1")) == 1


async def test_new_content_is_a_new_edition_and_the_old_one_stays(stage: Stage) -> None:
    old = await publish(stage, tariff("T1", component("ENERGY", "0.50")))
    new = await publish(stage, tariff("T1", component("ENERGY", "0.60")))
    assert await offered(stage, "T1") == new
    async with stage.database.read() as reader:
        assert await stage.services.tariffs.edition(reader, stage.operator, old.id) == old
    kept = await stage.services.tariffs.editions(stage.operator, [old.id, new.id])
    prices = {tariff_of(edition).elements[0].price_components[0].price for edition in kept}
    assert prices == {Decimal("0.50"), Decimal("0.60")}


async def test_an_old_content_may_come_back(stage: Stage) -> None:
    first = await publish(stage, tariff("T1", component("ENERGY", "0.50")))
    await publish(stage, tariff("T1", component("ENERGY", "0.60")))
    stage.clock.advance(timedelta(days=1))
    assert await publish(stage, tariff("T1", component("ENERGY", "0.50"))) == first
    assert await offered(stage, "T1") == first
    offer = await stage.one(PublishedTariff, ocpi_id="T1")
    assert offer.published_at == stage.clock.now()
    assert len(await stage.all(TariffEdition, ocpi_id="T1")) == 2


async def test_an_edition_is_kept_as_it_was_sent(stage: Stage) -> None:
    raw = tariff("T1", component("ENERGY", "0.4567", 19, 500), min_price={"excl_vat": Decimal("1.10")})
    kept = tariff_of(await publish(stage, raw))
    assert (kept.elements[0].price_components[0].price, kept.edition) == (
        Decimal("0.4567"),
        (await offered(stage, "T1")).sha256,
    )
    assert kept.min_price is not None
    assert kept.min_price.before_taxes == Decimal("1.10")


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (
            tariff("T1", component("FLAT", "1"), component("ENERGY", "-0.01")),
            ("elements", "0", "price_components", "1", "price"),
        ),
        (tariff("T1", component("ENERGY", "1"), currency="???"), ("currency",)),
        (tariff("T1"), ("elements", "0", "price_components")),
    ],
)
async def test_what_cannot_be_billed_is_refused(stage: Stage, raw: dict[str, Any], path: tuple[str, ...]) -> None:
    before = await stage.everything()
    with pytest.raises(InvalidInput) as refused:
        await publish(stage, raw)
    assert refused.value.path == path
    assert await stage.everything() == before


async def test_somebody_elses_tariff_does_not_exist(stage: Stage) -> None:
    await publish(stage, tariff("T1", component("ENERGY", "0.50")))
    tariffs = stage.services.tariffs
    async with stage.database.read() as reader:
        for owner, name in ((stage.biller.id, "T1"), (stage.cpo.id, "T2"), (stage.cpo.id, None)):
            with pytest.raises(UnknownTariff):
                await tariffs.offered(reader, stage.operator, owner, name)


async def test_offers_are_found_by_owner_and_name_together(stage: Stage) -> None:
    await publish(stage, tariff("T1", component("ENERGY", "0.50")))
    cpo, biller = stage.cpo.id, stage.biller.id
    asked = [(cpo, "T1"), (biller, "STANDARD"), (biller, "T1"), (cpo, "T9")]
    found = await stage.services.tariffs.offers(stage.operator, asked)
    assert {(edition.owner_id, edition.ocpi_id) for edition in found} == {(cpo, "T1"), (biller, "STANDARD")}
    assert (await offered(stage, "STANDARD")).currency == STANDARD["currency"]
