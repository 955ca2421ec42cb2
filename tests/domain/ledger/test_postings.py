from __future__ import annotations

from collections import Counter
from decimal import Decimal
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from domain.ids import ChargingSessionId, DocumentId, HoldId, OperatorId, PaymentId, WalletId
from domain.ledger import (
    Account,
    Earned,
    Funds,
    Posting,
    chart,
    dispute_credited,
    hold_freed,
    hold_moved,
    session_captured,
    surplus_captured,
    top_up_captured,
)
from tests.domain.ledger.books import NOON, eur

WALLET, OPERATOR, SESSION = WalletId(uuid4()), OperatorId(uuid4()), ChargingSessionId(uuid4())
AVAILABLE, HELD, PROMO, OWED = chart.wallet_accounts(WALLET)
CLEARING = chart.psp_clearing("TestAccount")

minor = st.integers(0, 5000)


def net(posting: Posting) -> dict[Account, int]:
    sums: Counter[Account] = Counter()
    for leg in posting.legs:
        assert leg.amount.minor > 0
        assert leg.source != leg.target
        sums[leg.source] -= leg.amount.minor
        sums[leg.target] += leg.amount.minor
    return {account: amount for account, amount in sums.items() if amount}


def earned(charging: int, idle: int = 0, tax: int = 0) -> Earned:
    return Earned("DE", eur(charging), eur(idle), ((Decimal(19), eur(tax)),))


def funds(available: int = 0, held: int = 0, promo: int = 0, owed: int = 0) -> Funds:
    return Funds(eur(available), eur(held), eur(promo), eur(owed))


def test_a_top_up_pays_the_debt_first() -> None:
    payment = PaymentId(uuid4())
    paid = top_up_captured(payment, 1, WALLET, eur(2000), eur(300), "TestAccount", NOON)
    assert net(paid) == {CLEARING: -2000, OWED: 300, AVAILABLE: 1700}
    assert net(top_up_captured(payment, 1, WALLET, eur(200), eur(300), "TestAccount", NOON)) == {
        CLEARING: -200,
        OWED: 200,
    }
    assert (paid.reference, paid.subject) == (f"payment:{payment}:1", f"payment:{payment}")


def test_a_payment_too_many_is_nobodys() -> None:
    assert net(surplus_captured(PaymentId(uuid4()), 1, eur(2000), "TestAccount", NOON)) == {
        CLEARING: -2000,
        chart.SUSPENSE: 2000,
    }


def test_a_hold_takes_granted_credit_first_and_gives_it_back() -> None:
    hold = HoldId(uuid4())
    opened = hold_moved(hold, 1, WALLET, funds(available=5000, promo=700), eur(2000), NOON)
    assert net(opened) == {PROMO: -700, AVAILABLE: -1300, HELD: 2000}
    released = hold_freed(hold, 2, WALLET, eur(2000), eur(700), NOON)
    assert net(released) == {PROMO: 700, AVAILABLE: 1300, HELD: -2000}


@given(minor, minor, minor, minor, minor, minor, st.integers(0, 100))
def test_a_bill_is_paid_from_the_hold_then_promo_then_available_then_a_debt(
    charging: int, idle: int, tax: int, held: int, promo: int, available: int, promo_percent: int
) -> None:
    bill, own = earned(charging, idle, tax), funds(available, held, promo)
    held_promo = held * promo_percent // 100
    moved = net(session_captured(SESSION, OPERATOR, WALLET, bill, own, eur(held_promo), NOON))
    cost = charging + idle + tax
    beyond = max(0, cost - held)
    from_promo = min(beyond, promo)
    from_available = min(beyond - from_promo, available)
    promo_back = max(0, held_promo - min(cost, held))
    expected = {
        HELD: -held,
        PROMO: promo_back - from_promo,
        AVAILABLE: max(0, held - cost) - promo_back - from_available,
        OWED: -(beyond - from_promo - from_available),
        chart.charging_revenue(OPERATOR): charging,
        chart.idle_fee_revenue(OPERATOR): idle,
        chart.vat("DE", Decimal(19)): tax,
    }
    assert moved == {account: amount for account, amount in expected.items() if amount}


@given(minor, minor, minor, minor)
def test_a_credit_takes_back_what_was_earned_and_settles_a_debt_first(
    charging: int, idle: int, tax: int, owed: int
) -> None:
    moved = net(
        dispute_credited(DocumentId(uuid4()), OPERATOR, WALLET, earned(charging, idle, tax), eur(owed), eur(0), NOON)
    )
    total = charging + idle + tax
    expected = {
        chart.charging_revenue(OPERATOR): -charging,
        chart.idle_fee_revenue(OPERATOR): -idle,
        chart.vat("DE", Decimal("19.0")): -tax,
        OWED: min(total, owed),
        AVAILABLE: max(0, total - owed),
    }
    assert moved == {account: amount for account, amount in expected.items() if amount}
