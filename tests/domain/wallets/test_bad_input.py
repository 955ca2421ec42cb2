"""Amounts that cannot move, and wallets in which nothing may begin: a typed refusal, and nothing has moved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.database import Database, Transaction
from domain.errors import AmountNotAllowed, CurrencyMismatch, DomainError, NotFound, WalletClosed, WalletFrozen
from domain.ids import ChargingSessionId, DriverId, OperatorId, PaymentId, WalletId
from domain.ledger import LARGEST_TRANSFER_MINOR
from domain.money import Money
from domain.wallets import Hold, Wallet
from tests.domain.ledger.books import CAUSE, eur
from tests.domain.payments.till import KEY, RETURN_URL, Till
from tests.domain.rows import everything
from tests.domain.wallets.model import usd
from tests.domain.wallets.purse import ACCOUNT, Purse

BAD: dict[str, tuple[Money, type[DomainError]]] = {
    "zero": (eur(0), AmountNotAllowed),
    "negative": (eur(-1), AmountNotAllowed),
    "one too large": (eur(LARGEST_TRANSFER_MINOR + 1), AmountNotAllowed),
    "beyond 64 bits": (eur(2**63), AmountNotAllowed),
    "another currency": (usd(500), CurrencyMismatch),
    "a currency without cents": (Money(500, "JPY"), CurrencyMismatch),
}
Verb = Callable[[Purse, Transaction, Wallet, Hold, Money], Awaitable[object]]


def it() -> PaymentId:
    return PaymentId(uuid4())


MONEY: dict[str, Verb] = {
    "pay in": lambda p, tx, w, _, m: p.wallets.money.pay_in(tx, w, it(), 1, m, ACCOUNT, CAUSE),
    "take back": lambda p, tx, w, _, m: p.wallets.money.take_back(tx, w, it(), 1, m, ACCOUNT, CAUSE),
    "ask refund": lambda p, tx, w, _, m: p.wallets.money.ask_refund(tx, w, it(), 1, m, CAUSE),
    "confirm refund": lambda p, tx, w, _, m: p.wallets.money.confirm_refund(tx, w, it(), 1, m, ACCOUNT, CAUSE),
    "undo refund": lambda p, tx, w, _, m: p.wallets.money.undo_refund(tx, w, it(), 1, m, None, CAUSE),
    "give": lambda p, tx, w, _, m: p.wallets.money.give(tx, w, uuid4(), m, "Sorry", CAUSE),
    "exchange": lambda p, tx, w, _, m: p.wallets.money.exchange(tx, w, m, w, m, uuid4(), CAUSE),
}
HOLDS: dict[str, Verb] = {
    "hold": lambda p, tx, w, _, m: p.wallets.holds.open(tx, w, ChargingSessionId(uuid4()), "r", m, CAUSE),
    "raise": lambda p, tx, _, h, m: p.wallets.holds.raise_to(tx, h, m, CAUSE),
    "lower": lambda p, tx, _, h, m: p.wallets.holds.lower_to(tx, h, m, CAUSE),
}
BEGINS = ("ask refund", "exchange", "hold", "raise")
"""What nobody may begin in a wallet that waits, or is closed."""


@pytest.fixture
async def purse(database: Database) -> Purse:
    opened = await Purse(database).opened()
    await opened.pay_in(5000)
    return opened


@pytest.mark.parametrize("bad", BAD)
async def test_an_amount_that_cannot_move_is_refused_by_every_verb(purse: Purse, bad: str) -> None:
    hold = await purse.hold(1000)
    amount, refusal = BAD[bad]
    before = await everything(purse.database)
    for name, verb in (MONEY | HOLDS).items():
        if bad == "zero" and name in HOLDS:
            continue  # to hold nothing is lawful: some sessions are free
        async with purse.database.transaction() as tx:
            with pytest.raises(refusal) as refused:
                await verb(purse, tx, purse.wallet, hold, amount)
        assert type(refused.value) is refusal, name
    with pytest.raises(refusal):
        await purse.wallets.promos.grant(purse.wallet, amount, timedelta(days=1), "Welcome", "k", CAUSE)
    assert await everything(purse.database) == before
    assert await purse.money() == (4000, 1000, 0, 0)


async def test_nothing_can_be_held_and_a_hold_lowered_to_nothing(purse: Purse) -> None:
    empty = await purse.hold(0)
    assert (empty.raised_minor, await purse.money()) == (0, (5000, 0, 0, 0))
    async with purse.database.transaction() as tx:
        assert await purse.wallets.holds.raise_to(tx, empty, eur(0), CAUSE) == empty
        lowered = await purse.wallets.holds.lower_to(tx, empty, eur(0), CAUSE)
    assert lowered == empty
    await purse.release(empty)
    assert await purse.is_sound()


@pytest.mark.parametrize("state", ["frozen", "closed"])
async def test_nothing_begins_in_a_wallet_that_waits_or_is_closed(purse: Purse, state: str) -> None:
    refusal: type[DomainError]
    hold = await purse.hold(1000)
    if state == "frozen":
        await purse.wallets.freeze(purse.operator, purse.wallet.id, "audit I2")
        refusal = WalletFrozen
    else:
        purse.driver = (await purse.wallets.enrol(purse.operator, "other", "Other", "EUR")).id
        (purse.wallet,) = await purse.wallets.wallets_of(purse.operator, purse.driver)
        await purse.wallets.close(purse.operator, purse.wallet.id)
        refusal = WalletClosed
    wallet = await purse.wallets.wallet(purse.operator, purse.wallet.id, purse.driver)
    before = await everything(purse.database)
    for name in BEGINS:
        if name == "raise" and state == "closed":
            continue  # a closed wallet has no hold
        with pytest.raises(refusal):
            async with purse.database.transaction() as tx:
                await (MONEY | HOLDS)[name](purse, tx, wallet, hold, eur(1500))
    with pytest.raises(refusal):
        await purse.wallets.promos.grant(wallet, eur(5), timedelta(days=1), "Welcome", "k", CAUSE)
    assert await everything(purse.database) == before


@pytest.mark.parametrize(
    "bad", [*BAD, "unknown wallet", "somebody else's wallet", "another operator", "frozen", "closed"]
)
async def test_a_top_up_that_cannot_be_asks_nobody(database: Database, bad: str) -> None:
    till = await Till(database).opened()
    amount, refusal = BAD.get(bad, (eur(2000), NotFound))
    operator, driver, wallet = till.operator, till.driver, till.wallet.id
    if bad == "unknown wallet":
        wallet = WalletId(uuid4())
    elif bad == "somebody else's wallet":
        driver = DriverId(uuid4())
    elif bad == "another operator":
        operator = OperatorId(uuid4())
    elif bad == "frozen":
        await till.wallets.freeze(operator, wallet, "audit I2")
        refusal = WalletFrozen
    elif bad == "closed":
        await till.wallets.close(operator, wallet)
        refusal = WalletClosed
    before = await everything(database)
    with pytest.raises(refusal):
        await till.payments.top_up(operator, driver, wallet, amount, KEY, RETURN_URL, "DE")
    assert await everything(database) == before
    assert till.gateway.calls == []
