from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from domain.columns import table_of
from domain.database import Database
from domain.ledger import chart
from domain.payments import FactState, Payment, PspDelivery, PspFact, TopUpStatus, Unknown
from tests.domain.ledger.books import CAUSE, posting
from tests.domain.payments.till import Fact, Till, item

CONSIDERED, QUARANTINED = FactState.CONSIDERED, FactState.QUARANTINED
PARKED, IGNORED = FactState.PARKED, FactState.IGNORED
DECLINED = Fact(success=False, psp="DECLINED00000000")
EXPIRED = Fact(event="EXPIRE")
SECOND = Fact(psp="ZV4XBKS9VDKFJJ65")


@pytest.fixture
async def till(database: Database) -> Till:
    return await Till(database).opened()


async def test_a_fact_may_come_before_the_reply(till: Till) -> None:
    till.gateway.going_on = asyncio.Event()
    asked = asyncio.create_task(till.top_up())
    await till.gateway.called.wait()
    assert await till.tell(Fact()) == [CONSIDERED]
    till.gateway.going_on.set()
    assert (await asked).status is TopUpStatus.AUTHORISED
    (payment,) = await till.rows(Payment)
    assert (payment.checkout_url is not None, await till.money()) == (True, (2000, 0, 0, 0))
    assert await till.is_sound()


async def test_a_fact_told_twice_is_kept_once_and_credited_once(till: Till) -> None:
    await till.top_up()
    assert [await till.keep(Fact()), await till.keep(Fact()), await till.keep(Fact(date="later"))] == [1, 0, 1]
    assert await till.tell() == [CONSIDERED, CONSIDERED]
    assert await till.money() == (2000, 0, 0, 0)
    assert await till.lines() == [("top_up", 2000, 2000)]
    assert await till.is_sound()


async def test_a_delivery_that_comes_at_once_and_often_is_credited_once(till: Till) -> None:
    await till.top_up()
    new = await asyncio.gather(*(till.keep(Fact(), Fact(date="later")) for _ in range(5)))
    assert sum(new) == 2
    await asyncio.gather(*(till.payments.consider_facts(till.operator) for _ in range(4)))
    assert await till.facts() == [CONSIDERED, CONSIDERED]
    assert await till.money() == (2000, 0, 0, 0)
    deliveries = table_of(PspDelivery)
    async with till.database.read() as reader:
        assert await reader.scalar(select(func.count()).select_from(deliveries)) == 10
    assert await till.is_sound()


async def test_a_payment_declined_first_may_be_authorised_later(till: Till) -> None:
    await till.top_up()
    await till.tell(DECLINED)
    assert (await till.status(), await till.money()) == (TopUpStatus.REFUSED, (0, 0, 0, 0))
    await till.tell(Fact())
    assert (await till.status(), await till.money()) == (TopUpStatus.AUTHORISED, (2000, 0, 0, 0))
    await till.tell(Fact(success=False, psp="DECLINED00000001"))
    assert (await till.status(), await till.money()) == (TopUpStatus.AUTHORISED, (2000, 0, 0, 0))


async def test_what_adyen_lets_expire_has_expired(till: Till) -> None:
    await till.top_up()
    await till.tell(EXPIRED)
    assert (await till.status(), await till.money()) == (TopUpStatus.EXPIRED, (0, 0, 0, 0))


async def test_a_wish_paid_twice_is_credited_once_and_the_rest_is_set_aside(till: Till) -> None:
    await till.top_up()
    await till.tell(Fact(), SECOND)
    await till.payments.settle(till.operator, (await till.wish()).payment_id)
    assert await till.money() == (2000, 0, 0, 0)
    assert await till.balance(chart.SUSPENSE) == 2000
    assert await till.balance(chart.psp_clearing(till.gateway.merchant_account)) == -4000
    assert await till.is_sound()


@pytest.mark.parametrize(
    "wrong",
    [
        Fact(minor=2001),
        Fact(minor=1999),
        Fact(currency="USD"),
        Fact(account="SomebodyElse"),
    ],
)
async def test_a_fact_that_contradicts_our_row_is_quarantined_and_moves_nothing(till: Till, wrong: Fact) -> None:
    await till.top_up()
    assert await till.tell(wrong) == [QUARANTINED]
    assert (await till.status(), await till.money()) == (TopUpStatus.ACTION_REQUIRED, (0, 0, 0, 0))
    assert await till.tell(Fact()) == [QUARANTINED, CONSIDERED]
    assert await till.money() == (2000, 0, 0, 0)


async def test_a_fact_without_an_amount_is_quarantined(till: Till) -> None:
    await till.top_up()
    without = item(Fact(), f"topup-{(await till.wish()).payment_id}")
    kept = {name: getattr(without, name) for name in without.__dataclass_fields__} | {"amount": None}
    await till.inbox.keep(till.operator, b"{}", [type(without)(**kept)])
    assert await till.tell() == [QUARANTINED]
    assert await till.money() == (0, 0, 0, 0)


async def test_facts_of_unknown_payments_wait_and_hold_nobody_up(till: Till) -> None:
    await till.top_up()
    strangers = [Fact(psp=f"STRANGER{number:08}") for number in range(5)]
    assert await till.tell(*strangers, reference="topup-of-another-system") == [PARKED] * 5
    await till.keep(Fact())
    assert await till.payments.consider_facts(till.operator, limit=1) == 1
    assert await till.money() == (2000, 0, 0, 0)
    assert await till.payments.consider_facts(till.operator) == 0


async def test_a_parked_fact_counts_when_its_payment_appears(till: Till) -> None:
    assert await till.tell(Fact(), reference="topup-to-come") == [PARKED]
    await till.top_up()
    payments = table_of(Payment)
    async with till.database.transaction() as tx:
        await tx.execute(update(payments).values(merchant_reference="topup-to-come"))
    assert await till.tell(reference="topup-to-come") == [CONSIDERED]
    assert await till.money() == (2000, 0, 0, 0)


async def test_an_event_without_a_rule_is_kept_and_changes_nothing(till: Till) -> None:
    await till.top_up()
    await till.tell(Fact())
    assert await till.tell(Fact(event="REPORT_AVAILABLE"), Fact(event="NEVER_SEEN")) == [CONSIDERED, IGNORED, IGNORED]
    assert await till.money() == (2000, 0, 0, 0)


async def test_an_operator_does_not_see_the_facts_of_another(till: Till, database: Database) -> None:
    other = await Till(database).opened()
    await till.top_up()
    reference = f"topup-{(await till.wish()).payment_id}"
    assert await other.tell(Fact(), reference=reference) == [PARKED]
    assert (await till.money(), await other.money()) == ((0, 0, 0, 0), (0, 0, 0, 0))


async def test_a_fact_that_cannot_be_read_stops_no_other_and_ends_with_a_person(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    await till.top_up()
    await till.tell(Fact(event="NEVER_SEEN"))
    facts = table_of(PspFact)
    async with till.database.transaction() as tx:
        await tx.execute(update(facts).values(state=FactState.NEW))
    judge = till.payments._settling._judge

    def stumble(fact: PspFact, payment: Payment | None) -> tuple[FactState, str | None]:
        assert fact.event_code != "NEVER_SEEN"
        return judge(fact, payment)

    monkeypatch.setattr(till.payments._settling, "_judge", stumble)
    await till.tell(Fact())
    assert await till.money() == (2000, 0, 0, 0)
    for _ in range(9):
        await till.payments.consider_facts(till.operator)
    assert sorted(await till.facts()) == [CONSIDERED, QUARANTINED]


async def test_a_debt_is_settled_first(till: Till) -> None:
    await till.top_up()
    async with till.database.transaction() as tx:
        owed = posting("debt", (chart.receivable(till.wallet.id), chart.SUSPENSE, 700))
        await till.journal.post(tx, till.operator, CAUSE, owed)
    await till.tell(Fact())
    assert await till.money() == (1300, 0, 0, 0)
    assert await till.is_sound()


async def test_names_that_no_table_takes_are_kept_all_the_same(till: Till) -> None:
    odd = Fact(event="E" * 200, psp="nul \0 and \ud800" + "x" * 100, account="ä" * 100)
    assert await till.tell(odd, reference="r" * 500) == [QUARANTINED]


told = st.lists(st.sampled_from([Fact(), Fact(date="later"), SECOND, DECLINED, EXPIRED]), min_size=1, max_size=5)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told, st.randoms(use_true_random=False), st.booleans())
async def test_facts_mean_the_same_in_every_order_and_number(
    database: Database, facts: list[Fact], chance: Random, unknown: bool
) -> None:
    ends = []
    for order in (facts, chance.sample(facts, len(facts)), [*facts[::-1], facts[0]]):
        till = await Till(database).opened()
        till.gateway.script = [Unknown("timeout")] if unknown else []
        await till.top_up()
        for fact in order:
            await till.tell(fact)
        ends.append(await till.position())
        assert await till.is_sound()
    assert ends[0] == ends[1] == ends[2]
    paid = sorted({fact.psp for fact in facts if fact.success and fact.event == "AUTHORISATION"})
    assert ends[0][3:] == (paid[0] if paid else None, (2000 if paid else 0, 0, 0, 0), 2000 * max(0, len(paid) - 1))
