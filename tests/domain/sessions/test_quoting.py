"""Quotes: what is promised is what is charged, and nobody is quoted a price that nobody can name."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from domain.energy import Energy
from domain.errors import EvseUnavailable, InvalidInput, NotFound
from domain.ids import ConnectorId, QuoteId
from domain.sessions import Expectation, Quote, ceilings_shown, shown
from domain.tariffs import QuoteUnit
from tests.domain.sessions.ocpi_objects import NOON, STANDARD, after, component, period, tariff
from tests.domain.sessions.stage import COMPLETED, Stage


async def quoted(stage: Stage, kwh: str, span: timedelta, connector: int = 0) -> Quote:
    wish, plug = Expectation(Decimal(kwh), span), stage.connectors[connector]
    return await stage.services.quotes.quote(stage.operator, stage.driver.id, plug, wish)


async def test_a_quote_shows_every_price_in_the_order_of_the_law(stage: Stage) -> None:
    quote = await stage.quote()
    assert [(one.per, one.net, one.gross) for one in shown(quote)] == [
        (QuoteUnit.KWH, Decimal("0.5"), Decimal("0.595")),
        (QuoteUnit.SESSION, Decimal(1), Decimal("1.19")),
        (QuoteUnit.OTHER, Decimal("0.1"), Decimal("0.119")),
    ]
    assert (quote.hold.minor, quote.quoted_at, quote.valid_until) == (1000, NOON, after(15))
    assert (quote.estimate_net_minor, quote.estimate_tax_minor) == (None, None)
    (ceiling,) = ceilings_shown(quote)
    assert (ceiling.start_at, ceiling.per_kwh) == (NOON, (Decimal("0.5"), Decimal("0.595"), Decimal(19)))
    assert ceiling.per_hour == (Decimal(6), Decimal("7.14"), Decimal(19))


async def test_the_estimate_is_the_bill_of_such_a_session(stage: Stage) -> None:
    mixed = tariff(
        "STANDARD", component("FLAT", "0.99"), component("ENERGY", "0.4321"), component("TIME", "1.1", 7, 300)
    )
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, mixed)
    quote = await quoted(stage, "12.345", timedelta(minutes=47))
    told = (period(0, "12.345", hours="0.783333333333"),)
    push = stage.push("S1", COMPLETED, 47, Energy.from_kwh(Decimal("12.345")).wh, ended_at=after(47), periods=told)
    session, _ = await stage.record(push)
    assert (quote.estimate_net_minor, quote.estimate_tax_minor) == (session.net_minor, session.tax_minor)
    assert quote.tariff_id == session.tariff_id
    # 0.99 + 12.345 x 0.4321 at 19 %, and 50 minutes at 1.10/h at 7 %
    assert session.net_minor == 724


async def test_a_start_keeps_the_quoted_tariff(stage: Stage) -> None:
    quote = await stage.quote()
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, tariff("STANDARD", component("ENERGY", "9.00")))
    session = await stage.start(quote=quote)
    reference = session.authorization_reference
    done, _ = await stage.record(
        stage.push("S1", COMPLETED, 60, 10_000, ended_at=after(60), authorization_reference=reference)
    )
    assert (done.id, done.gross.minor) == (session.id, 714)


async def test_a_connector_without_a_tariff_cannot_be_quoted(stage: Stage) -> None:
    before = await stage.everything()
    with pytest.raises(EvseUnavailable):
        await stage.quote(connector=2)
    assert await stage.everything() == before


async def test_a_tariff_in_another_currency_cannot_be_quoted(stage: Stage) -> None:
    await stage.services.tariffs.publish(stage.operator, stage.cpo.id, STANDARD | {"currency": "SEK"})
    with pytest.raises(EvseUnavailable):
        await stage.quote()


async def test_a_connector_that_is_not_there_cannot_be_quoted(stage: Stage) -> None:
    with pytest.raises(NotFound):
        await stage.services.quotes.quote(stage.operator, stage.driver.id, ConnectorId(stage.driver.id), None)


@pytest.mark.parametrize(
    ("kwh", "span", "field"),
    [
        ("-0.001", timedelta(0), "expectedKwh"),
        ("1000.001", timedelta(0), "expectedKwh"),
        ("NaN", timedelta(0), "expectedKwh"),
        ("1", timedelta(seconds=-1), "expectedSeconds"),
        ("1", timedelta(days=7, seconds=1), "expectedSeconds"),
    ],
)
async def test_nonsense_cannot_be_expected(stage: Stage, kwh: str, span: timedelta, field: str) -> None:
    before = await stage.everything()
    with pytest.raises(InvalidInput) as refused:
        await quoted(stage, kwh, span)
    assert refused.value.path == ("input", field)
    assert await stage.everything() == before


async def test_a_quote_belongs_to_its_driver(stage: Stage) -> None:
    quote, other = await stage.quote(), await stage.rich_driver("other", 0)
    quotes = stage.services.quotes
    assert await quotes.owned(stage.operator, quote.id, stage.driver.id) == quote
    for driver, name in ((other.id, quote.id), (stage.driver.id, QuoteId(other.id))):
        with pytest.raises(NotFound):
            await quotes.owned(stage.operator, name, driver)
