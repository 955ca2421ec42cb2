"""How money moves: pure functions, one for each kind of fact. The only place that builds a `Posting`.

Every leg takes from its source and gives to its target; a posting is a function of its inputs, so a fact told twice is
the same posting. Rows of the table in docs/ledger.md are named by number; cards and partners have a file of their own.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain.ids import ChargingSessionId, DocumentId, HoldId, OperatorId, PaymentId, PostingId, WalletId
from domain.ledger import chart
from domain.ledger.chart import Account
from domain.ledger.models import subject
from domain.ledger.posting import Earned, Funds, Leg, Posting, poured
from domain.money import Money


def top_up_captured(
    payment: PaymentId,
    number: int,
    wallet: WalletId,
    amount: Money,
    owed: Money,
    merchant_account: str,
    at: datetime,
    kind: str = "top_up",
) -> Posting:
    """Rows 1 and 11: money comes, or comes back; it pays the debt first, the rest is free to spend."""
    targets = [(chart.receivable(wallet), owed), (chart.available(wallet), amount)]
    legs = tuple(poured([(chart.psp_clearing(merchant_account), amount)], targets))
    return Posting(f"payment:{payment}:{number}", kind, subject("payment", payment), at, legs)


def top_up_taken_back(
    payment: PaymentId,
    number: int,
    wallet: WalletId,
    amount: Money,
    available: Money,
    merchant_account: str,
    at: datetime,
    kind: str = "chargeback",
) -> Posting:
    """Rows 10 and 11: money that had come goes again: what is free, then a debt."""
    sources = [(chart.available(wallet), available), (chart.receivable(wallet), amount)]
    legs = tuple(poured(sources, [(chart.psp_clearing(merchant_account), amount)]))
    return Posting(f"payment:{payment}:{number}", kind, subject("payment", payment), at, legs)


def surplus_captured(payment: PaymentId, number: int, amount: Money, merchant_account: str, at: datetime) -> Posting:
    """Paid a second time by mistake (`number` counts the times): ours to explain and to give back, nobody's credit."""
    leg = Leg(chart.psp_clearing(merchant_account), chart.SUSPENSE, amount)
    return Posting(f"payment:{payment}:surplus:{number}", "surplus", subject("payment", payment), at, (leg,))


def hold_moved(hold: HoldId, number: int, wallet: WalletId, funds: Funds, amount: Money, at: datetime) -> Posting:
    """Rows 2 and 3: open or raise; granted credit is reserved first."""
    sources = [(chart.promo(wallet), funds.promo), (chart.available(wallet), amount)]
    legs = tuple(poured(sources, [(chart.held(wallet), amount)]))
    return Posting(f"hold:{hold}:{number}", "hold", subject("hold", hold), at, legs)


def hold_freed(
    hold: HoldId,
    number: int,
    wallet: WalletId,
    amount: Money,
    promo: Money,
    at: datetime,
) -> Posting:
    """Rows 3 and 6: `amount` back to where it came from, of it `promo` to the granted credit."""
    targets = [(chart.promo(wallet), promo), (chart.available(wallet), amount)]
    legs = tuple(poured([(chart.held(wallet), amount)], targets))
    return Posting(f"hold:{hold}:{number}", "release", subject("hold", hold), at, legs)


def held_promo_expired(hold: HoldId, number: int, wallet: WalletId, amount: Money, at: datetime) -> Posting:
    """Row 6: granted credit that ran out while it was held."""
    leg = Leg(chart.promo(wallet), chart.BREAKAGE, amount)
    return Posting(f"hold:{hold}:{number}:expired", "promotion", subject("hold", hold), at, (leg,))


def session_captured(
    session: ChargingSessionId,
    operator: OperatorId,
    wallet: WalletId,
    earned: Earned,
    funds: Funds,
    held_promo: Money,
    at: datetime,
) -> Posting:
    """Rows 4 and 5: `funds.held` is what this session holds. It pays first, then promo, available, and a debt.

    Granted credit in the hold is consumed first; what is left of it goes back as such.
    """
    cost = earned.total
    zero = Money.zero(cost.currency)
    rest = max(zero, funds.held - cost)
    sources = [
        (chart.held(wallet), funds.held - rest),
        (chart.promo(wallet), funds.promo),
        (chart.available(wallet), funds.available),
        (chart.receivable(wallet), cost),
    ]
    unused = max(zero, held_promo - min(cost, funds.held))
    back = [(chart.promo(wallet), unused), (chart.available(wallet), rest)]
    legs = (*poured(sources, earned.places(operator)), *poured([(chart.held(wallet), rest)], back))
    return Posting(f"capture:{session}", "session_charge", subject("charging_session", session), at, legs)


def session_corrected(
    session: ChargingSessionId,
    number: int,
    operator: OperatorId,
    wallet: WalletId,
    more: Earned,
    funds: Funds,
    corrects: PostingId,
    at: datetime,
) -> Posting:
    """Row 7: a late CDR that costs more: promo, available, then a debt. One that costs less is a credit (row 9)."""
    sources = [
        (chart.promo(wallet), funds.promo),
        (chart.available(wallet), funds.available),
        (chart.receivable(wallet), more.total),
    ]
    legs = tuple(poured(sources, more.places(operator)))
    about = subject("charging_session", session)
    return Posting(f"correction:{session}:{number}", "session_charge", about, at, legs, corrects=corrects)


def refund_asked(payment: PaymentId, number: int, wallet: WalletId, amount: Money, at: datetime) -> Posting:
    """Row 8: leaves the wallet, and is on its way to the method that it came from."""
    leg = Leg(chart.available(wallet), chart.REFUNDS_IN_FLIGHT, amount)
    return Posting(f"payment:{payment}:{number}", "refund_asked", subject("payment", payment), at, (leg,))


def refund_sent(payment: PaymentId, number: int, amount: Money, merchant_account: str, at: datetime) -> Posting:
    """Row 8: the provider has sent it."""
    leg = Leg(chart.REFUNDS_IN_FLIGHT, chart.psp_clearing(merchant_account), amount)
    return Posting(f"payment:{payment}:{number}", "refund_sent", subject("payment", payment), at, (leg,))


def refund_undone(
    payment: PaymentId, number: int, wallet: WalletId, amount: Money, owed: Money, where: Account, at: datetime
) -> Posting:
    """Row 8: it came back from `where` it was: in flight, or at the provider. A debt is settled first."""
    targets = [(chart.receivable(wallet), owed), (chart.available(wallet), amount)]
    legs = tuple(poured([(where, amount)], targets))
    return Posting(f"payment:{payment}:{number}", "refund_undone", subject("payment", payment), at, legs)


def dispute_credited(
    note: DocumentId,
    operator: OperatorId,
    wallet: WalletId,
    returned: Earned,
    owed: Money,
    promo: Money,
    at: datetime,
) -> Posting:
    """Row 9: what was earned goes back: to the debt first, then `promo` that paid for it, the rest is free to spend."""
    targets = [
        (chart.receivable(wallet), owed),
        (chart.promo(wallet), promo),
        (chart.available(wallet), returned.total),
    ]
    legs = tuple(poured(returned.places(operator), targets))
    return Posting(f"credit:{note}", "credit", subject("credit_note", note), at, legs)


def promo_granted(grant: UUID, wallet: WalletId, amount: Money, at: datetime, note: str) -> Posting:
    """Row 16."""
    leg = Leg(chart.PROMOTIONS, chart.promo(wallet), amount)
    return Posting(f"promo:{grant}", "promotion", subject("promo", grant), at, (leg,), note=note)


def promo_expired(grant: UUID, wallet: WalletId, amount: Money, at: datetime) -> Posting:
    """Row 16: what was not spent in time."""
    leg = Leg(chart.promo(wallet), chart.BREAKAGE, amount)
    return Posting(f"promo:{grant}:expired", "promotion", subject("promo", grant), at, (leg,))


def debt_written_off(manual: UUID, wallet: WalletId, amount: Money, at: datetime, note: str) -> Posting:
    """Row 18: nobody will pay it any more."""
    leg = Leg(chart.BAD_DEBT, chart.receivable(wallet), amount)
    return Posting(f"manual:{manual}", "write_off", subject("manual", manual), at, (leg,), note=note)


def goodwill_given(manual: UUID, wallet: WalletId, amount: Money, owed: Money, at: datetime, note: str) -> Posting:
    """Row 18: a gift that is not a correction; a debt is settled first."""
    targets = [(chart.receivable(wallet), owed), (chart.available(wallet), amount)]
    legs = tuple(poured([(chart.GOODWILL, amount)], targets))
    return Posting(f"manual:{manual}", "goodwill", subject("manual", manual), at, legs, note=note)


def suspense_resolved(manual: UUID, target: Account, amount: Money, at: datetime, note: str) -> Posting:
    """Row 18: what could not be explained has found its place."""
    leg = Leg(chart.SUSPENSE, target, amount)
    return Posting(f"manual:{manual}", "resolved", subject("manual", manual), at, (leg,), note=note)


def exchanged(exchange: UUID, source: Account, sold: Money, target: Account, bought: Money, at: datetime) -> Posting:
    """Row 17: two currencies in one posting, each balanced by its open position; the rate is the note."""
    assert sold.currency != bought.currency, "an exchange has two currencies"
    legs = (Leg(source, chart.FX, sold), Leg(chart.FX, target, bought))
    rate = f"{sold} = {bought}"
    return Posting(f"fx:{exchange}", "exchange", subject("fx", exchange), at, legs, note=rate)
