"""How money moves between us and others than drivers with a wallet: cards, partners, the provider's payouts. Pure.

Rows of the table in docs/ledger.md are named by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.ids import CdrId, ChargingSessionId, OperatorId, PartyId, PaymentId, WalletId
from domain.ledger import chart
from domain.ledger.chart import Account
from domain.ledger.models import subject
from domain.ledger.posting import Earned, Funds, Leg, Posting, poured
from domain.money import Money


def payment_lost(payment: PaymentId, number: int, amount: Money, merchant_account: str, at: datetime) -> Posting:
    """Row 10: the card scheme took back what somebody without a wallet had paid."""
    leg = Leg(chart.CHARGEBACK_LOSSES, chart.psp_clearing(merchant_account), amount)
    return Posting(f"payment:{payment}:{number}", "chargeback", subject("payment", payment), at, (leg,))


def payment_won_back(payment: PaymentId, number: int, amount: Money, merchant_account: str, at: datetime) -> Posting:
    """Row 11: the mirror of a loss."""
    leg = Leg(chart.psp_clearing(merchant_account), chart.CHARGEBACK_LOSSES, amount)
    return Posting(f"payment:{payment}:{number}", "chargeback_reversed", subject("payment", payment), at, (leg,))


def scheme_fee(payment: PaymentId, number: int, amount: Money, merchant_account: str, at: datetime) -> Posting:
    """Row 10: what a chargeback costs beside its amount."""
    leg = Leg(chart.SCHEME_FEES, chart.psp_clearing(merchant_account), amount)
    return Posting(f"payment:{payment}:{number}", "scheme_fee", subject("payment", payment), at, (leg,))


def card_authorised(payment: PaymentId, number: int, by: Money, at: datetime) -> Posting:
    """Row 12: a pre-authorisation grew `by` this much, or shrank; a note, no money."""
    open_, contra = chart.CARD_AUTH_OPEN, chart.CARD_AUTH_CONTRA
    leg = Leg(contra, open_, by) if by.minor > 0 else Leg(open_, contra, -by)
    return Posting(f"payment:{payment}:{number}", "card_authorised", subject("payment", payment), at, (leg,))


def card_billed(session: ChargingSessionId, operator: OperatorId, earned: Earned, at: datetime) -> Posting:
    """Row 12: the bill of a session that a card pays."""
    legs = tuple(poured([(chart.CARD_RECEIVABLE, earned.total)], earned.places(operator)))
    return Posting(f"bill:{session}", "card_bill", subject("charging_session", session), at, legs)


def card_captured(
    payment: PaymentId, number: int, amount: Money, authorised: Money, merchant_account: str, at: datetime
) -> Posting:
    """Row 12: the card has paid; what was `authorised` is noted no longer."""
    legs = [Leg(chart.psp_clearing(merchant_account), chart.CARD_RECEIVABLE, amount)]
    if authorised:
        legs.append(Leg(chart.CARD_AUTH_OPEN, chart.CARD_AUTH_CONTRA, authorised))
    return Posting(f"payment:{payment}:{number}", "card_captured", subject("payment", payment), at, tuple(legs))


@dataclass(frozen=True, slots=True)
class Abroad:
    """A session of our driver at a foreign operator: what we owe them, what we charge, and the tax of each side."""

    party: PartyId
    their_net: Money
    their_tax: Money
    reclaim_in: str | None
    """Country where their tax may be reclaimed, or None."""
    sold: Earned
    """What the driver pays; its net is ours to split, its taxes are our output tax."""


def roamed(  # what is sold to whom, and what there is to pay it
    session: ChargingSessionId, wallet: WalletId, abroad: Abroad, funds: Funds, held_promo: Money, at: datetime
) -> Posting:
    """Row 13: their net and our tax are paid, the rest is margin; a loss runs the other way.

    `funds` and `held_promo` as for a session at home.
    """
    sold, margin = abroad.sold, chart.roaming_margin(abroad.party)
    theirs = abroad.their_net if abroad.reclaim_in else abroad.their_net + abroad.their_tax
    earned = sold.charging + sold.idle - theirs
    zero = Money.zero(theirs.currency)
    payers: list[tuple[Account, Money]] = [
        (chart.held(wallet), min(funds.held, sold.total)),
        (chart.promo(wallet), funds.promo),
        (chart.available(wallet), funds.available),
        (chart.receivable(wallet), sold.total),
    ]
    taxes = [(chart.vat(sold.country, percent), amount) for percent, amount in sold.taxes]
    paid = theirs + min(earned, zero)
    legs = [*poured(payers, [(chart.cpo_payable(abroad.party), paid), *taxes, (margin, max(earned, zero))])]
    if earned < zero:
        legs.append(Leg(margin, chart.cpo_payable(abroad.party), -earned))
    if abroad.reclaim_in and abroad.their_tax:
        legs.append(Leg(chart.input_vat(abroad.reclaim_in), chart.cpo_payable(abroad.party), abroad.their_tax))
    rest = max(zero, funds.held - sold.total)
    unused = max(zero, held_promo - min(sold.total, funds.held))
    legs += poured([(chart.held(wallet), rest)], [(chart.promo(wallet), unused), (chart.available(wallet), rest)])
    return Posting(f"capture:{session}", "session_charge", subject("charging_session", session), at, tuple(legs))


def partner_billed(cdr: CdrId, operator: OperatorId, party: PartyId, earned: Earned, at: datetime) -> Posting:
    """Row 14: their driver charged here; the partner owes it."""
    legs = tuple(poured([(chart.emsp_receivable(party), earned.total)], earned.places(operator)))
    return Posting(f"cdr:{cdr}", "partner_bill", subject("cdr", cdr), at, legs)


def settled(
    merchant_account: str,
    batch: int,
    account: str,
    paid_out: Money,
    fees: Money,
    unexplained: Sequence[Money],
    at: datetime,
) -> Posting:
    """Row 15: a payout of the provider. Debits run the other way; what no line explains waits in suspense."""
    clearing, bank = chart.psp_clearing(merchant_account), chart.bank(account)
    legs = [_signed(bank, clearing, paid_out), _signed(chart.PSP_FEES, clearing, fees)]
    legs += [_signed(bank, chart.SUSPENSE, amount) for amount in unexplained]
    reference = f"settlement:{merchant_account}:{batch}:{paid_out.currency}"
    moved = tuple(leg for leg in legs if leg is not None)
    return Posting(reference, "settlement", f"settlement:{merchant_account}:{batch}", at, moved)


def _signed(source: Account, target: Account, amount: Money) -> Leg | None:
    if not amount:
        return None
    return Leg(source, target, amount) if amount.minor > 0 else Leg(target, source, -amount)
