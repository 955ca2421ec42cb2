"""How money moves: pure functions, one for each kind of fact. The only place that builds a `Posting`.

Every leg takes from its source and gives to its target; a posting is a function of its inputs, so a fact told twice is
the same posting. Rows of the table in docs/ledger.md are named by number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.ids import CdrId, ChargingSessionId, DocumentId, HoldId, OperatorId, PartyId, PaymentId, WalletId
from domain.ledger import chart
from domain.ledger.chart import Account
from domain.ledger.models import subject
from domain.money import Money


@dataclass(frozen=True, slots=True)
class Leg:
    """Money from `source` to `target`; the amount is above zero."""

    source: Account
    target: Account
    amount: Money


@dataclass(frozen=True, slots=True)
class Posting:
    """One fact: its name, what it is about, when it became true, and its legs in order."""

    reference: str
    kind: str
    subject: str
    effective_at: datetime
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Earned:
    """The parts of a bill, each without tax but `taxes`: (rate in percent, amount); nothing is negative."""

    country: str
    charging: Money
    idle: Money
    taxes: tuple[tuple[Decimal, Money], ...]

    @property
    def total(self) -> Money:
        """With tax."""
        return sum((amount for _, amount in self.taxes), self.charging + self.idle)

    def places(self, operator: OperatorId) -> list[tuple[Account, Money]]:
        """Where the parts lie."""
        return [
            (chart.charging_revenue(operator), self.charging),
            (chart.idle_fee_revenue(operator), self.idle),
            *((chart.vat(self.country, percent), amount) for percent, amount in self.taxes),
        ]


@dataclass(frozen=True, slots=True)
class Funds:
    """What lies in a wallet at one instant, under its lock."""

    available: Money
    held: Money
    promo: Money
    owed: Money


def top_up_captured(
    payment: PaymentId, number: int, wallet: WalletId, amount: Money, owed: Money, merchant_account: str, at: datetime
) -> Posting:
    """Row 1: pays the debt first, the rest is free to spend."""
    source = chart.psp_clearing(merchant_account)
    targets = [(chart.receivable(wallet), owed), (chart.available(wallet), amount)]
    return Posting(
        f"payment:{payment}:{number}",
        "top_up",
        subject("payment", payment),
        at,
        tuple(_pour([(source, amount)], targets)),
    )


def surplus_captured(payment: PaymentId, number: int, amount: Money, merchant_account: str, at: datetime) -> Posting:
    """Paid a second time by mistake (`number` counts the times): ours to explain and to give back, nobody's credit."""
    leg = Leg(chart.psp_clearing(merchant_account), chart.suspense(), amount)
    return Posting(f"payment:{payment}:surplus:{number}", "surplus", subject("payment", payment), at, (leg,))


def hold_moved(hold: HoldId, number: int, wallet: WalletId, funds: Funds, amount: Money, at: datetime) -> Posting:
    """Rows 2 and 3: open or raise; granted credit is reserved first."""
    sources = [(chart.promo(wallet), funds.promo), (chart.available(wallet), amount)]
    legs = tuple(_pour(sources, [(chart.held(wallet), amount)]))
    return Posting(f"hold:{hold}:{number}", "hold", subject("hold", hold), at, legs)


def hold_released(hold: HoldId, number: int, wallet: WalletId, amount: Money, promo: Money, at: datetime) -> Posting:
    """Row 6: everything back to where it came from."""
    targets = [(chart.promo(wallet), promo), (chart.available(wallet), amount)]
    legs = tuple(_pour([(chart.held(wallet), amount)], targets))
    return Posting(f"hold:{hold}:{number}", "release", subject("hold", hold), at, legs)


def session_captured(
    session: ChargingSessionId,
    operator: OperatorId,
    wallet: WalletId,
    earned: Earned,
    funds: Funds,
    held_promo: Money,
    at: datetime,
) -> Posting:
    """Rows 4 and 5: `funds.held` is what this session holds. It pays first, then promo, available, and a debt."""
    cost = earned.total
    rest = max(Money.zero(cost.currency), funds.held - cost)
    sources = [
        (chart.held(wallet), funds.held - rest),
        (chart.promo(wallet), funds.promo),
        (chart.available(wallet), funds.available),
        (chart.receivable(wallet), cost),
    ]
    legs = list(_pour(sources, earned.places(operator)))
    unused_promo = max(Money.zero(cost.currency), held_promo - min(cost, funds.held))
    back = [(chart.promo(wallet), unused_promo), (chart.available(wallet), rest)]
    legs += _pour([(chart.held(wallet), rest)], back)
    about = subject("charging_session", session)
    return Posting(f"capture:{session}", "session_charge", about, at, tuple(legs))


def partner_billed(cdr: CdrId, operator: OperatorId, party: PartyId, earned: Earned, at: datetime) -> Posting:
    """Row 14: their driver charged here; the partner owes it."""
    legs = tuple(_pour([(chart.emsp_receivable(party), earned.total)], earned.places(operator)))
    return Posting(f"cdr:{cdr}", "partner_bill", subject("cdr", cdr), at, legs)


def dispute_credited(
    note: DocumentId, operator: OperatorId, wallet: WalletId, returned: Earned, owed: Money, at: datetime
) -> Posting:
    """Row 9: what was earned goes back; a debt is settled first."""
    targets = [(chart.receivable(wallet), owed), (chart.available(wallet), returned.total)]
    legs = tuple(_pour(returned.places(operator), targets))
    return Posting(f"credit:{note}", "credit", subject("credit_note", note), at, legs)


def _pour(sources: Sequence[tuple[Account, Money]], targets: Iterable[tuple[Account, Money]]) -> Iterator[Leg]:
    """Fill the targets from the sources, both in order and as far as either goes; empty ones are passed over."""
    pool = list(sources)
    for target, size in targets:
        room = size
        while room.minor > 0 and pool:
            source, amount = pool.pop(0)
            taken = min(amount, room)
            if taken.minor > 0:
                yield Leg(source, target, taken)
            room -= taken
            if amount > taken:
                pool.insert(0, (source, amount - taken))
