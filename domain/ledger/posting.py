"""What a posting is: a named fact, its legs in order, and how sources fill targets. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import orjson

from domain.ids import OperatorId, PostingId
from domain.ledger import chart
from domain.ledger.chart import Account
from domain.money import Money


class Place(NamedTuple):
    """One row of the books: an account in one currency."""

    account: Account
    currency: str


@dataclass(frozen=True, slots=True)
class Leg:
    """Money from `source` to `target`; the amount is above zero."""

    source: Account
    target: Account
    amount: Money


@dataclass(frozen=True, slots=True)
class Posting:
    """One fact: its name, what it is about, when it became true, and its legs in order.

    `corrects` is the posting that was wrong, `note` the words of whoever decided it.
    """

    reference: str
    kind: str
    subject: str
    effective_at: datetime
    legs: tuple[Leg, ...]
    corrects: PostingId | None = None
    note: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what it moves: the same fact told twice has the same."""
        content = [
            [
                leg.source.code,
                leg.source.owner,
                leg.target.code,
                leg.target.owner,
                leg.amount.minor,
                leg.amount.currency,
            ]
            for leg in self.legs
        ]
        return hashlib.sha256(orjson.dumps(content)).hexdigest()

    def net(self) -> dict[Place, int]:
        """The net of each place, credit positive; what nets to nothing is left out. Sums to zero per currency."""
        sums: defaultdict[Place, int] = defaultdict(int)
        for leg in self.legs:
            assert leg.amount.minor > 0, "a leg moves something"
            assert leg.source != leg.target, "a leg moves it elsewhere"
            sums[Place(leg.source, leg.amount.currency)] -= leg.amount.minor
            sums[Place(leg.target, leg.amount.currency)] += leg.amount.minor
        return {place: amount for place, amount in sums.items() if amount}


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
    """What lies in a wallet at one instant, under its lock. `owed` is above zero when the driver is in debt."""

    available: Money
    held: Money
    promo: Money
    owed: Money

    @property
    def spendable(self) -> Money:
        """What a new hold may take."""
        return self.available + self.promo


def poured(sources: Sequence[tuple[Account, Money]], targets: Iterable[tuple[Account, Money]]) -> Iterator[Leg]:
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
