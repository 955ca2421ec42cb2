"""A wallet in plain numbers: predicts what every verb answers and what lies where afterwards. Pure, and much shorter.

Answers are compared as text: `shown` says how a reply of the product reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.errors import DomainError, InsufficientFunds, WalletFrozen, WalletInDebt
from domain.money import Money
from domain.wallets import Hold, PromoGrant
from tests.domain.ledger.books import eur

MOVED_ON = "StateConflict: The hold has changed meanwhile."


def shown(reply: object) -> str:
    """A reply as the model says it; an error that nobody predicts is raised."""
    if isinstance(reply, DomainError):
        return f"{type(reply).__name__}: {reply}"
    if isinstance(reply, BaseException):
        raise reply
    if isinstance(reply, Hold):
        amounts = (reply.raised_minor, reply.captured_minor, reply.released_minor, reply.promo_minor)
        return f"{reply.status} {amounts} at {reply.version}"
    return f"{reply.amount} {reply.status}" if isinstance(reply, PromoGrant) else str(reply)


@dataclass(frozen=True)
class Held:
    """A hold."""

    raised: int
    promo: int
    captured: int = 0
    released: int = 0
    status: str = "open"
    version: int = 1

    @property
    def rest(self) -> int:
        return self.raised - self.captured - self.released

    def __str__(self) -> str:
        return f"{self.status} {(self.raised, self.captured, self.released, self.promo)} at {self.version}"


@dataclass
class Grant:
    """Granted credit."""

    amount: int
    until: datetime
    is_active: bool = True

    def __str__(self) -> str:
        return f"{eur(self.amount)} {'active' if self.is_active else 'lapsed'}"


@dataclass
class Model:
    """The wallet, in cents; `foreign` lies in a second one."""

    available: int = 0
    held: int = 0
    promo: int = 0
    owed: int = 0
    foreign: int = 0
    is_frozen: bool = False
    holds: list[Held] = field(default_factory=list)
    grants: dict[str, Grant] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def money(self) -> tuple[int, int, int, int]:
        return self.available, self.held, self.promo, self.owed

    # --- money in and out -------------------------------------------------------------------------------------

    def comes(self, fact: str, amount: int) -> str:
        """Money that settles a debt first: a top-up, a refund undone, a gift."""
        if not self._is_new(fact):
            return "False"
        debt = min(self.owed, amount)
        self.owed -= debt
        self.available += amount - debt
        return "True"

    def goes(self, fact: str, amount: int) -> str:
        """Money that is gone whatever there is: a chargeback."""
        if not self._is_new(fact):
            return "False"
        self._pay(amount, 0)
        return "True"

    def costs(self, fact: str, amount: int) -> str:
        """A bill without a hold, or a bill corrected upward."""
        if not self._is_new(fact):
            return "False"
        self._pay(amount, self.promo)
        return "True"

    def asks_back(self, fact: str, amount: int) -> str:
        if self.is_frozen:
            return shown(WalletFrozen())
        if fact not in self.told and amount > self.available:
            return shown(InsufficientFunds(eur(self.available), eur(amount)))
        if not self._is_new(fact):
            return "False"
        self.available -= amount
        return "True"

    def noted(self, fact: str) -> str:
        """What moves nothing in the wallet."""
        return str(self._is_new(fact))

    def exchanges(self, fact: str, sold: int, bought: int) -> str:
        answer = self.asks_back(fact, sold)
        self.foreign += bought if answer == "True" else 0
        return answer

    def writes_off(self) -> str:
        owed, self.owed = self.owed, 0
        return str(eur(owed))

    # --- holds ------------------------------------------------------------------------------------------------

    def opens(self, amount: int, *, at_most: bool = False) -> str:
        """`at_most`: for a session that has begun without asking."""
        spendable = self.available + self.promo
        if not at_most:
            if self.is_frozen:
                return shown(WalletFrozen())
            if self.owed:
                return shown(WalletInDebt(eur(self.owed)))
            if amount > spendable:
                return shown(InsufficientFunds(eur(spendable), eur(amount)))
        amount = min(amount, spendable)
        self.holds.append(Held(amount, self._reserve(amount)))
        return str(self.holds[-1])

    def raises(self, number: int, seen: Held, total: int) -> str:
        if total <= seen.rest:
            return str(seen)
        hold, more = self.holds[number], total - seen.rest
        if hold != seen or hold.status != "open":
            return MOVED_ON
        if self.is_frozen:
            return shown(WalletFrozen())
        if more > self.available + self.promo:
            return shown(InsufficientFunds(eur(self.available + self.promo), eur(more)))
        return self._becomes(number, raised=hold.raised + more, promo=hold.promo + self._reserve(more))

    def lowers(self, number: int, seen: Held, rest: int, at: datetime) -> str:
        hold = self.holds[number]
        if hold != seen or hold.status != "open":
            return MOVED_ON
        less = hold.rest - rest
        return str(hold) if less <= 0 else self._frees(number, less, max(0, less - (hold.rest - hold.promo)), at)

    def closes(self, number: int, seen: Held, status: str, at: datetime) -> str:
        """Released, or expired."""
        hold = self.holds[number]
        if hold != seen or hold.status != "open":
            return MOVED_ON
        return self._frees(number, hold.rest, hold.promo, at, status)

    def captures(self, number: int, seen: Held, cost: int, at: datetime) -> str:
        hold = self.holds[number]
        if hold != seen or hold.status != "open":
            return MOVED_ON
        paid = min(cost, hold.rest)
        unused = max(0, hold.promo - paid)
        lost = self._lost(unused, at)
        self.held -= hold.rest
        spent = min(hold.promo, paid) + self._pay(cost - paid, self.promo)
        self.promo += unused - lost
        self.available += hold.rest - paid - unused
        return self._becomes(number, captured=paid, released=hold.raised - paid, promo=spent, status="captured")

    def credits(self, fact: str, number: int, amount: int, at: datetime) -> str:
        """Given back after a dispute about what this hold paid."""
        if not self._is_new(fact):
            return "False"
        debt = min(self.owed, amount)
        promo = min(amount - debt, self.holds[number].promo, max(0, self._unexpired(at) - self.promo))
        self.owed -= debt
        self.promo += promo
        self.available += amount - debt - promo
        return "True"

    # --- granted credit ---------------------------------------------------------------------------------------

    def grants_(self, key: str, amount: int, until: datetime) -> str:
        if key not in self.grants:
            if self.is_frozen:
                return shown(WalletFrozen())
            self.grants[key] = Grant(amount, until)
            self.promo += amount
        return str(self.grants[key])

    def lapses(self, at: datetime) -> str:
        due = [grant for grant in self.grants.values() if grant.is_active and grant.until <= at]
        for grant in sorted(due, key=lambda grant: grant.until):
            unspent = self.promo + sum(hold.promo for hold in self.holds if hold.status == "open")
            self.promo -= min(max(0, unspent - self._unexpired(at)), self.promo, grant.amount)
            grant.is_active = False
        return str(len(due))

    # --- how --------------------------------------------------------------------------------------------------

    def _is_new(self, fact: str) -> bool:
        is_new = fact not in self.told
        self.told.add(fact)
        return is_new

    def _pay(self, amount: int, promo: int) -> int:
        """From granted credit as far as `promo`, from what is free, then as a debt; how much of it was granted."""
        granted = min(amount, promo)
        free = min(amount - granted, self.available)
        self.promo -= granted
        self.available -= free
        self.owed += amount - granted - free
        return granted

    def _reserve(self, amount: int) -> int:
        promo = min(amount, self.promo)
        self.promo -= promo
        self.available -= amount - promo
        self.held += amount
        return promo

    def _frees(self, number: int, amount: int, promo: int, at: datetime, status: str = "open") -> str:
        hold = self.holds[number]
        lost = self._lost(promo, at)
        self.held -= amount
        self.promo += promo - lost
        self.available += amount - promo
        return self._becomes(number, released=hold.released + amount, promo=hold.promo - promo, status=status)

    def _becomes(self, number: int, **values: object) -> str:
        hold = self.holds[number]
        self.holds[number] = replace(hold, version=hold.version + 1, **values)  # type: ignore[arg-type]
        return str(self.holds[number])

    def _unexpired(self, at: datetime) -> int:
        return sum(grant.amount for grant in self.grants.values() if grant.is_active and grant.until > at)

    def _lost(self, back: int, at: datetime) -> int:
        return min(back, max(0, self.promo + back - self._unexpired(at)))


def usd(minor: int) -> Money:
    return Money(minor, "USD")
