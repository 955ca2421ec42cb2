"""What is true of every posting, whichever row of the table it is: it balances, it moves forward, it loses no cent."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import ledger
from domain.ids import CdrId, ChargingSessionId, DocumentId, HoldId, OperatorId, PartyId, PaymentId, PostingId, WalletId
from domain.ledger import Abroad, Code, Earned, Funds, Posting, chart
from domain.money import Money
from tests.domain.ledger.books import NOON, eur

ID = UUID(int=1)
WALLET, PAYMENT, SESSION, OPERATOR = WalletId(ID), PaymentId(ID), ChargingSessionId(ID), OperatorId(ID)
HOLD, PARTY, NOTE, CDR, POSTING = HoldId(ID), PartyId(ID), DocumentId(ID), CdrId(ID), PostingId(ID)
AVAILABLE, HELD, PROMO, OWED = chart.wallet_accounts(WALLET)
OTHER = chart.available(WalletId(UUID(int=2)))

some = st.integers(1, 10**9).map(eur)
maybe = st.integers(0, 10**9).map(eur)
either = st.integers(-(10**9), 10**9).map(eur)
taxes = st.lists(maybe, max_size=3).map(lambda parts: tuple((Decimal(rate), tax) for rate, tax in enumerate(parts, 7)))
earned = st.builds(Earned, st.just("DE"), maybe, maybe, taxes).filter(lambda bill: bill.total)
funds = st.builds(Funds, available=maybe, held=maybe, promo=maybe, owed=maybe)
abroad = st.builds(Abroad, st.just(PARTY), maybe, maybe, st.sampled_from([None, "AT"]), earned)
share = st.integers(0, 100)
NOW, M, NO_NOTE = st.just(NOON), st.just("M"), st.just("")


def these(*values: object) -> list[st.SearchStrategy[Any]]:
    return [st.just(value) for value in values]


def of(whole: Money, percent: int) -> Money:
    return Money(whole.minor * percent // 100, whole.currency)


ROWS: dict[str, st.SearchStrategy[Posting]] = {
    "1 top_up_captured": st.builds(ledger.top_up_captured, *these(PAYMENT, 1, WALLET), some, maybe, M, NOW),
    "2 3 hold_moved": st.builds(ledger.hold_moved, *these(HOLD, 1, WALLET), funds, some, NOW),
    "3 6 hold_freed": st.builds(
        lambda amount, part: ledger.hold_freed(HOLD, 2, WALLET, amount, of(amount, part), NOON), some, share
    ),
    "6 held_promo_expired": st.builds(ledger.held_promo_expired, *these(HOLD, 2, WALLET), some, NOW),
    "4 5 session_captured": st.builds(
        lambda bill, own, part: ledger.session_captured(SESSION, OPERATOR, WALLET, bill, own, of(own.held, part), NOON),
        earned,
        funds,
        share,
    ),
    "7 session_corrected": st.builds(
        ledger.session_corrected, *these(SESSION, 1, OPERATOR, WALLET), earned, funds, st.just(POSTING), NOW
    ),
    "8 refund_asked": st.builds(ledger.refund_asked, *these(PAYMENT, 1, WALLET), some, NOW),
    "8 refund_sent": st.builds(ledger.refund_sent, *these(PAYMENT, 1), some, M, NOW),
    "8 refund_undone": st.builds(
        ledger.refund_undone,
        *these(PAYMENT, 1, WALLET),
        some,
        maybe,
        st.sampled_from([chart.REFUNDS_IN_FLIGHT, chart.psp_clearing("M")]),
        NOW,
    ),
    "9 dispute_credited": st.builds(ledger.dispute_credited, *these(NOTE, OPERATOR, WALLET), earned, maybe, maybe, NOW),
    "10 top_up_taken_back": st.builds(ledger.top_up_taken_back, *these(PAYMENT, 2, WALLET), some, maybe, M, NOW),
    "10 payment_lost": st.builds(ledger.payment_lost, *these(PAYMENT, 1), some, M, NOW),
    "10 scheme_fee": st.builds(ledger.scheme_fee, *these(PAYMENT, 1), some, M, NOW),
    "11 payment_won_back": st.builds(ledger.payment_won_back, *these(PAYMENT, 1), some, M, NOW),
    "12 card_authorised": st.builds(ledger.card_authorised, *these(PAYMENT, 1), either.filter(bool), NOW),
    "12 card_billed": st.builds(ledger.card_billed, *these(SESSION, OPERATOR), earned, NOW),
    "12 card_captured": st.builds(ledger.card_captured, *these(PAYMENT, 1), some, maybe, M, NOW),
    "13 roamed": st.builds(
        lambda sale, own, part: ledger.roamed(SESSION, WALLET, sale, own, of(own.held, part), NOON),
        abroad,
        funds,
        share,
    ),
    "14 partner_billed": st.builds(ledger.partner_billed, *these(CDR, OPERATOR, PARTY), earned, NOW),
    "15 settled": st.builds(
        ledger.settled, *these("M", 1, "bank"), either.filter(bool), either, st.lists(either, max_size=3), NOW
    ),
    "16 promo_granted": st.builds(ledger.promo_granted, *these(ID, WALLET), some, NOW, NO_NOTE),
    "16 promo_expired": st.builds(ledger.promo_expired, *these(ID, WALLET), some, NOW),
    "17 exchanged": st.builds(
        lambda sold, bought: ledger.exchanged(ID, AVAILABLE, sold, OTHER, Money(bought, "JPY"), NOON),
        some,
        st.integers(1, 10**9),
    ),
    "18 debt_written_off": st.builds(ledger.debt_written_off, *these(ID, WALLET), some, NOW, NO_NOTE),
    "18 goodwill_given": st.builds(ledger.goodwill_given, *these(ID, WALLET), some, maybe, NOW, NO_NOTE),
    "18 suspense_resolved": st.builds(ledger.suspense_resolved, *these(ID, AVAILABLE), some, NOW, NO_NOTE),
    "surplus_captured": st.builds(ledger.surplus_captured, *these(PAYMENT, 1), some, M, NOW),
}


def net(posting: Posting) -> Counter[Any]:
    return Counter({place.account: amount for place, amount in posting.net().items()})


def moved(posting: Posting, *codes: Code) -> int:
    return sum(amount for account, amount in net(posting).items() if account.code in codes)


def test_every_posting_of_the_face_is_tried_here() -> None:
    makers = {
        name
        for name in ledger.__all__
        if getattr(getattr(ledger, name), "__annotations__", {}).get("return") == "Posting"
    }
    assert makers == {row.rpartition(" ")[2] for row in ROWS}


@pytest.mark.parametrize("row", ROWS)
def test_it_balances_in_every_currency_and_every_leg_moves_forward(row: str) -> None:
    @given(ROWS[row])
    def holds(posting: Posting) -> None:
        sums: Counter[str] = Counter()
        for place, amount in posting.net().items():
            sums[place.currency] += amount
        assert not any(sums.values())
        assert posting.legs
        for leg in posting.legs:
            assert leg.amount.minor > 0
            assert leg.source != leg.target
        assert len(posting.reference) <= 120
        assert len(posting.subject) <= 80

    holds()


@given(earned, funds, share)
def test_a_bill_earns_all_of_it_and_takes_no_more(bill: Earned, own: Funds, part: int) -> None:
    posting = ledger.session_captured(SESSION, OPERATOR, WALLET, bill, own, of(own.held, part), NOON)
    earned_ = moved(posting, Code.CHARGING_REVENUE, Code.IDLE_FEE_REVENUE, Code.VAT)
    assert earned_ == bill.total.minor
    after = {account: net(posting)[account] for account in (AVAILABLE, HELD, PROMO, OWED)}
    assert after[HELD] == -own.held.minor
    assert own.available.minor + after[AVAILABLE] >= 0
    assert own.promo.minor + after[PROMO] >= 0
    assert after[OWED] <= 0
    assert sum(after.values()) == -bill.total.minor
    if after[OWED]:
        assert own.available.minor + after[AVAILABLE] == own.promo.minor + after[PROMO] == 0


@given(abroad, funds, share)
def test_abroad_the_driver_pays_what_was_sold_and_the_operator_gets_what_is_owed(
    sale: Abroad, own: Funds, part: int
) -> None:
    posting = ledger.roamed(SESSION, WALLET, sale, own, of(own.held, part), NOON)
    wallet = [net(posting)[account] for account in (AVAILABLE, HELD, PROMO, OWED)]
    assert sum(wallet) == -sale.sold.total.minor
    assert moved(posting, Code.CPO_PAYABLE) == (sale.their_net + sale.their_tax).minor
    assert moved(posting, Code.VAT) == sum(tax.minor for _, tax in sale.sold.taxes)
    assert own.available.minor + wallet[0] >= 0
    if sale.sold.total <= own.held:
        unused = max(0, of(own.held, part).minor - sale.sold.total.minor)
        assert net(posting)[PROMO] == unused, "granted credit never turns into money"


@given(earned, maybe, maybe)
def test_a_credit_gives_back_all_of_it(returned: Earned, owed: Money, promo: Money) -> None:
    posting = ledger.dispute_credited(NOTE, OPERATOR, WALLET, returned, owed, promo, NOON)
    total = returned.total.minor
    to_debt = min(owed.minor, total)
    to_promo = min(promo.minor, total - to_debt)
    found = net(posting)
    assert (found[OWED], found[PROMO], found[AVAILABLE]) == (to_debt, to_promo, total - to_debt - to_promo)


@given(some, maybe, maybe)
def test_mirror_pairs_cancel(amount: Money, available: Money, owed: Money) -> None:
    """What comes and goes again under the same circumstances leaves nothing."""
    clearing = chart.psp_clearing("M")
    there = ledger.top_up_captured(PAYMENT, 1, WALLET, amount, eur(0), "M", NOON)
    back = ledger.top_up_taken_back(PAYMENT, 2, WALLET, amount, amount, "M", NOON)
    taken = ledger.top_up_taken_back(PAYMENT, 1, WALLET, amount, available, "M", NOON)
    debt = max(eur(0), amount - available)
    returned = ledger.top_up_captured(PAYMENT, 2, WALLET, amount, debt, "M", NOON)
    asked, undone = (
        ledger.refund_asked(PAYMENT, 1, WALLET, amount, NOON),
        ledger.refund_undone(PAYMENT, 2, WALLET, amount, eur(0), chart.REFUNDS_IN_FLIGHT, NOON),
    )
    sent, unsent = (
        ledger.refund_sent(PAYMENT, 2, amount, "M", NOON),
        ledger.refund_undone(PAYMENT, 3, WALLET, amount, eur(0), clearing, NOON),
    )
    lost, won = (
        ledger.payment_lost(PAYMENT, 1, amount, "M", NOON),
        ledger.payment_won_back(PAYMENT, 2, amount, "M", NOON),
    )
    own = Funds(available=amount, held=eur(0), promo=owed, owed=eur(0))
    held = ledger.hold_moved(HOLD, 1, WALLET, own, amount, NOON)
    freed = ledger.hold_freed(HOLD, 2, WALLET, amount, min(amount, owed), NOON)
    granted, gone = ledger.promo_granted(ID, WALLET, amount, NOON, ""), ledger.promo_expired(ID, WALLET, amount, NOON)
    open_, shut = ledger.card_authorised(PAYMENT, 1, amount, NOON), ledger.card_authorised(PAYMENT, 2, -amount, NOON)
    for pair in (
        (there, back),
        (taken, returned),
        (asked, undone),
        (asked, sent, unsent),
        (lost, won),
        (held, freed),
        (open_, shut),
    ):
        sums: Counter[Any] = Counter()
        for posting in pair:
            sums.update(net(posting))
        assert not any(sums.values())
    assert (net(granted)[PROMO], net(gone)[PROMO], net(gone)[chart.BREAKAGE]) == (
        amount.minor,
        -amount.minor,
        amount.minor,
    )
