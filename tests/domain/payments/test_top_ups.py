from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.database import Database
from domain.errors import (
    AmountNotAllowed,
    CurrencyMismatch,
    DomainError,
    IdempotencyConflict,
    InvalidInput,
    NotFound,
    PaymentDeclined,
    PaymentServiceUnavailable,
    WalletFrozen,
)
from domain.ids import DriverId, OperatorId, TopUpId
from domain.money import Money
from domain.payments import (
    AttemptState,
    FactState,
    NotSent,
    Payment,
    PaymentAttempt,
    Refused,
    TopUp,
    TopUpStatus,
    Unknown,
)
from domain.wallets import Wallet
from tests.domain.ledger.books import NOON, eur
from tests.domain.payments.till import KEY, RETURN_URL, Fact, Till

HOUR = timedelta(hours=1)


@pytest.fixture
async def till(database: Database) -> Till:
    return await Till(database).opened()


async def nothing_happened(till: Till) -> bool:
    assert (till.gateway.calls, await till.rows(TopUp), await till.rows(Payment)) == ([], [], [])
    assert (await till.money(), await till.lines()) == ((0, 0, 0, 0), [])
    return True


async def test_a_top_up_is_noted_answered_and_settled(till: Till) -> None:
    wish = await till.top_up()
    assert wish.status is TopUpStatus.ACTION_REQUIRED
    ((request, key),) = till.gateway.calls
    (payment,) = await till.rows(Payment)
    assert (request.reference, request.amount, request.expires_at) == (f"topup-{payment.id}", eur(2000), NOON + HOUR)
    assert (payment.checkout_url, key.version) == (f"https://pay.example/{key}", 4)
    assert await till.payments.pending(till.operator, till.wallet.id) == [wish]
    assert await till.money() == (0, 0, 0, 0)
    assert await till.tell(Fact()) == [FactState.CONSIDERED]
    settled, _ = await till.payments.top_up_of(till.operator, wish.id, till.driver)
    assert (settled.status, settled.credited_at) == (TopUpStatus.AUTHORISED, till.clock.now())
    assert await till.money() == (2000, 0, 0, 0)
    assert await till.payments.pending(till.operator, till.wallet.id) == []
    assert await till.is_sound()


async def test_the_same_key_is_the_same_wish(till: Till) -> None:
    first = await till.top_up()
    assert await till.top_up() == first
    await till.tell(Fact())
    assert (await till.top_up()).status is TopUpStatus.AUTHORISED
    assert len(till.gateway.calls) == 1
    assert await till.money() == (2000, 0, 0, 0)


@pytest.mark.parametrize(("minor", "return_url"), [(2001, RETURN_URL), (2000, "https://app.example/elsewhere")])
async def test_the_same_key_for_something_else_is_refused(till: Till, minor: int, return_url: str) -> None:
    wish = await till.top_up()
    with pytest.raises(IdempotencyConflict):
        await till.top_up(minor, return_url=return_url)
    assert (await till.rows(TopUp), len(till.gateway.calls)) == ([wish], 1)


async def test_another_key_is_another_wish(till: Till) -> None:
    first, second = await till.top_up(), await till.top_up(key="key-of-the-wish-2")
    assert first.payment_id != second.payment_id
    assert len(till.gateway.keys) == 2


async def test_twins_at_once_are_one_wish_one_payment_and_one_call(till: Till) -> None:
    wishes = await asyncio.gather(*(till.top_up() for _ in range(8)))
    assert len({wish.id for wish in wishes}) == 1
    assert [len(await till.rows(model)) for model in (TopUp, Payment, PaymentAttempt)] == [1, 1, 1]
    assert len(till.gateway.calls) == 1
    assert await till.status() is TopUpStatus.ACTION_REQUIRED


async def test_no_transaction_is_open_while_the_provider_is_asked(till: Till) -> None:
    till.gateway.going_on = asyncio.Event()
    asked = asyncio.create_task(till.top_up())
    await till.gateway.called.wait()
    await asyncio.wait_for(till.pay_in(100), 1)
    assert (await till.top_up()).status is TopUpStatus.INITIATED
    till.gateway.going_on.set()
    assert (await asked).status is TopUpStatus.ACTION_REQUIRED
    assert len(till.gateway.calls) == 1


async def test_an_unknown_answer_is_pending_and_asked_again_with_the_same_key(till: Till) -> None:
    till.gateway.script = [Unknown("timeout"), Unknown("timeout")]
    assert (await till.top_up()).status is TopUpStatus.PENDING
    assert (await till.top_up()).status is TopUpStatus.PENDING
    assert await till.push_on(timedelta(milliseconds=500)) is AttemptState.UNKNOWN
    assert len(till.gateway.calls) == 1
    assert await till.push_on() is AttemptState.UNKNOWN
    assert await till.push_on(timedelta(seconds=3)) is AttemptState.ANSWERED
    assert await till.status() is TopUpStatus.ACTION_REQUIRED
    assert (len(till.gateway.calls), len(till.gateway.keys)) == (3, 1)
    assert len({request for request, _ in till.gateway.calls}) == 1


async def test_what_was_not_sent_is_no_refusal_and_may_be_tried_again(till: Till) -> None:
    till.gateway.script = [NotSent("no connection"), NotSent("no connection")]
    for _ in range(2):
        with pytest.raises(PaymentServiceUnavailable):
            await till.top_up()
    assert await till.status() is TopUpStatus.INITIATED
    assert (await till.top_up()).status is TopUpStatus.ACTION_REQUIRED
    assert len(till.gateway.keys) == 1


async def test_what_may_have_happened_stays_unknown_though_the_next_try_is_not_sent(till: Till) -> None:
    till.gateway.script = [Unknown("timeout"), NotSent("no connection")]
    await till.top_up()
    assert await till.push_on() is AttemptState.UNKNOWN
    assert (await till.top_up()).status is TopUpStatus.PENDING


async def test_a_refusal_stays_a_refusal_for_its_key(till: Till) -> None:
    till.gateway.script = [Refused("14_030")]
    for _ in range(2):
        with pytest.raises(PaymentDeclined) as declined:
            await till.top_up()
        assert declined.value.payment_id == (await till.wish()).id
    assert (len(till.gateway.calls), await till.money()) == (1, (0, 0, 0, 0))
    assert await till.push_on(HOUR) is AttemptState.REFUSED
    assert (await till.top_up(key="key-of-the-wish-2")).status is TopUpStatus.ACTION_REQUIRED


@pytest.mark.parametrize("sent", [False, True])
async def test_a_crash_between_wish_and_answer_is_pushed_on_with_the_same_key(till: Till, *, sent: bool) -> None:
    till.gateway.going_on = asyncio.Event()
    asked = asyncio.create_task(till.top_up())
    await till.gateway.called.wait()
    asked.cancel()
    await asyncio.wait([asked])
    till.gateway.going_on = None
    if sent:
        await till.keep(Fact())
        await till.payments.consider_facts(till.operator)
    assert await till.push_on() is AttemptState.SENT
    assert await till.push_on(timedelta(seconds=60)) is AttemptState.ANSWERED
    assert (len(till.gateway.calls), len(till.gateway.keys)) == (2, 1)
    assert await till.status() is (TopUpStatus.AUTHORISED if sent else TopUpStatus.ACTION_REQUIRED)
    assert await till.is_sound()


async def test_an_answer_that_comes_after_the_lease_disturbs_nobody(till: Till) -> None:
    late = till.gateway.going_on = asyncio.Event()
    till.gateway.script = [Unknown("timeout")]
    asked = asyncio.create_task(till.top_up())
    await till.gateway.called.wait()
    till.gateway.going_on, answers = None, till.gateway.script
    till.gateway.script = []
    assert await till.push_on(timedelta(seconds=61)) is AttemptState.ANSWERED
    till.gateway.script = answers
    late.set()
    await asked
    assert (await till.attempt()).state is AttemptState.ANSWERED
    assert await till.status() is TopUpStatus.ACTION_REQUIRED


async def test_a_checkout_that_nobody_paid_expires(till: Till) -> None:
    await till.top_up()
    await till.push_on(HOUR)
    assert await till.status() is TopUpStatus.ACTION_REQUIRED
    await till.push_on(HOUR + timedelta(seconds=1))
    assert await till.status() is TopUpStatus.EXPIRED
    assert (await till.top_up()).status is TopUpStatus.EXPIRED
    await till.tell(Fact())
    assert (await till.status(), await till.money()) == (TopUpStatus.AUTHORISED, (2000, 0, 0, 0))


@pytest.mark.parametrize("outcome", [Unknown("timeout"), NotSent("no connection")])
async def test_a_wish_that_was_never_answered_expires_and_is_asked_about_no_more(
    till: Till, outcome: Unknown | NotSent
) -> None:
    till.gateway.script = [outcome]
    try:
        await till.top_up()
    except PaymentServiceUnavailable:
        assert isinstance(outcome, NotSent)
    assert await till.push_on(2 * HOUR + timedelta(seconds=1)) is AttemptState.VOID
    assert (await till.status(), len(till.gateway.calls)) == (TopUpStatus.EXPIRED, 1)
    assert await till.push_on(HOUR) is AttemptState.VOID


async def test_nobody_is_asked_about_what_a_fact_has_answered(till: Till) -> None:
    till.gateway.script = [Unknown("timeout")]
    await till.top_up()
    await till.tell(Fact())
    assert await till.push_on() is AttemptState.VOID
    assert (await till.status(), len(till.gateway.calls)) == (TopUpStatus.AUTHORISED, 1)


async def test_somebody_elses_wallet_or_top_up_does_not_exist(till: Till) -> None:
    other = await till.wallets.enrol(till.operator, "other", "Another Driver", "EUR")
    with pytest.raises(NotFound):
        await till.payments.top_up(till.operator, other.id, till.wallet.id, eur(2000), KEY, RETURN_URL, "DE")
    assert await nothing_happened(till)
    wish = await till.top_up()
    told = set()
    for operator, driver, top_up in (
        (till.operator, other.id, wish.id),
        (OperatorId(uuid4()), till.driver, wish.id),
        (till.operator, DriverId(uuid4()), wish.id),
        (till.operator, till.driver, TopUpId(uuid4())),
    ):
        with pytest.raises(NotFound) as missing:
            await till.payments.top_up_of(operator, top_up, driver)
        told.add((str(missing.value), missing.value.path))
    assert len(told) == 1


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        (eur(499), AmountNotAllowed),
        (eur(50001), AmountNotAllowed),
        (eur(0), AmountNotAllowed),
        (eur(-2000), AmountNotAllowed),
        (Money(2000, "USD"), CurrencyMismatch),
    ],
)
async def test_an_amount_that_is_not_allowed_moves_nothing(
    till: Till, amount: Money, refusal: type[DomainError]
) -> None:
    with pytest.raises(refusal):
        await till.payments.top_up(till.operator, till.driver, till.wallet.id, amount, KEY, RETURN_URL, "DE")
    assert await nothing_happened(till)


async def test_the_least_and_the_most_are_allowed(till: Till) -> None:
    for number, minor in enumerate((500, 50000)):
        assert (await till.top_up(minor, key=f"key-of-the-wish-{number}")).amount == eur(minor)


async def test_a_return_url_that_is_too_long_moves_nothing(till: Till) -> None:
    with pytest.raises(InvalidInput):
        await till.top_up(return_url=f"https://app.example/{'x' * 1024}")
    assert await nothing_happened(till)


async def test_a_frozen_wallet_takes_no_new_wish(till: Till) -> None:
    async with till.database.transaction() as tx:
        await tx.change(Wallet, {"operator_id": till.operator, "id": till.wallet.id}, frozen_at=NOON)
    with pytest.raises(WalletFrozen):
        await till.top_up()
    assert await nothing_happened(till)
