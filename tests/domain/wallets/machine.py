"""Every story that can be told to a wallet: its rules, and who may tell the same thing twice or at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, multiple, rule

from domain.database import Transaction
from domain.ids import ChargingSessionId, DocumentId, PaymentId
from domain.ledger import LedgerPosting
from domain.wallets import Hold, Wallet
from tests.domain.ledger.books import CAUSE, eur
from tests.domain.wallets.model import shown, usd
from tests.domain.wallets.purse import ACCOUNT, earned
from tests.domain.wallets.told import Fact, Seen, Told

minor = st.integers(1, 3000)
callers = st.sampled_from([1, 1, 1, 2, 3])
"""How many tasks say the same thing at once."""


class WalletMachine(Told):
    """What can be told to a wallet."""

    holds: Bundle[Seen] = Bundle("holds")
    facts: Bundle[Fact] = Bundle("facts")

    # --- money in and out -------------------------------------------------------------------------------------

    @rule(target=facts, amount=minor, callers=callers)
    def top_up(self, amount: int, callers: int) -> Fact:
        it = PaymentId(uuid4())
        return self.fact(
            lambda tx, wallet: self.money.pay_in(tx, wallet, it, 1, eur(amount), ACCOUNT, CAUSE),
            lambda: self.model.comes(f"{it}", amount),
            callers,
        )

    @rule(target=facts, amount=minor, callers=callers)
    def chargeback(self, amount: int, callers: int) -> Fact:
        it = PaymentId(uuid4())
        return self.fact(
            lambda tx, wallet: self.money.take_back(tx, wallet, it, 1, eur(amount), ACCOUNT, CAUSE),
            lambda: self.model.goes(f"{it}", amount),
            callers,
        )

    @rule(target=facts, amount=minor, callers=callers, end=st.sampled_from(["stays", "sent", "undone", "returned"]))
    def refund(self, amount: int, callers: int, end: str) -> Any:  # noqa: ANN401  one fact, or several
        it, where = PaymentId(uuid4()), None if end == "undone" else ACCOUNT
        asked = self.fact(
            lambda tx, wallet: self.money.ask_refund(tx, wallet, it, 1, eur(amount), CAUSE),
            lambda: self.model.asks_back(f"{it}", amount),
            callers,
        )
        if end == "stays" or f"{it}" not in self.model.told:
            return asked
        facts = [asked]
        if end != "undone":
            facts.append(
                self.fact(
                    lambda tx, wallet: self.money.confirm_refund(tx, wallet, it, 2, eur(amount), ACCOUNT, CAUSE),
                    lambda: self.model.noted(f"{it} sent"),
                    callers,
                )
            )
        if end != "sent":
            facts.append(
                self.fact(
                    lambda tx, wallet: self.money.undo_refund(tx, wallet, it, 3, eur(amount), where, CAUSE),
                    lambda: self.model.comes(f"{it} undone", amount),
                    callers,
                )
            )
        return multiple(*facts)

    @rule(target=facts, amount=minor, callers=callers)
    def bill_without_a_hold(self, amount: int, callers: int) -> Fact:
        it = ChargingSessionId(uuid4())
        return self.fact(
            lambda tx, wallet: self.money.charge(tx, wallet, it, earned(amount), CAUSE, self.now),
            lambda: self.model.costs(f"{it}", amount),
            callers,
        )

    @rule(target=facts, amount=minor, callers=callers)
    def gift(self, amount: int, callers: int) -> Fact:
        it = uuid4()
        return self.fact(
            lambda tx, wallet: self.money.give(tx, wallet, it, eur(amount), "Sorry", CAUSE),
            lambda: self.model.comes(f"{it}", amount),
            callers,
        )

    @rule(callers=callers)
    def write_off(self, callers: int) -> None:
        self.fact(
            lambda tx, wallet: self.money.write_off(tx, wallet, uuid4(), "Gone", CAUSE), self.model.writes_off, callers
        )

    @rule(target=facts, sold=minor, bought=minor, callers=callers)
    def exchange(self, sold: int, bought: int, callers: int) -> Fact:
        it = uuid4()
        return self.fact(
            lambda tx, wallet: self.money.exchange(tx, wallet, eur(sold), self.dollars, usd(bought), it, CAUSE),
            lambda: self.model.exchanges(f"{it}", sold, bought),
            callers,
        )

    @rule(fact=facts, callers=callers)
    def told_again(self, fact: Fact, callers: int) -> None:
        self.fact(fact.verb, fact.predicted, callers)

    # --- holds ------------------------------------------------------------------------------------------------

    @rule(target=holds, amount=minor, callers=callers, is_asked=st.sampled_from([True, True, False]))
    def hold(self, amount: int, callers: int, is_asked: bool) -> Any:  # noqa: ANN401  none, or several
        async def opened(tx: Transaction, wallet: Wallet) -> Hold:
            session = ChargingSessionId(uuid4())
            open_ = self.purse.wallets.holds.open if is_asked else self.purse.wallets.holds.open_up_to
            return await open_(tx, wallet, session, str(uuid4()), eur(amount), CAUSE)

        first = len(self.model.holds)
        # Holds opened at once differ, and the model knows them by the order of what they hold.
        replies = self.tell(opened, lambda: self.model.opens(amount, at_most=not is_asked), callers)
        found = sorted((one for one in replies if isinstance(one, Hold)), key=shown)
        self.model.holds[first:] = sorted(self.model.holds[first:], key=str)
        return multiple(*(Seen(first + n, one, self.model.holds[first + n]) for n, one in enumerate(found)))

    @rule(target=holds, seen=holds, total=minor, callers=callers)
    def raise_hold(self, seen: Seen, total: int, callers: int) -> Any:  # noqa: ANN401  none, or the hold as it is now
        return self.step(
            seen,
            lambda tx, _: self.purse.wallets.holds.raise_to(tx, seen.real, eur(total), CAUSE),
            lambda: self.model.raises(seen.number, seen.model, total),
            callers,
        )

    @rule(target=holds, seen=holds, rest=minor, callers=callers)
    def lower_hold(self, seen: Seen, rest: int, callers: int) -> Any:  # noqa: ANN401
        return self.step(
            seen,
            lambda tx, _: self.purse.wallets.holds.lower_to(tx, seen.real, eur(rest), CAUSE),
            lambda: self.model.lowers(seen.number, seen.model, rest, self.now),
            callers,
        )

    @rule(seen=holds, callers=callers, how=st.sampled_from(["released", "expired"]))
    def close_hold(self, seen: Seen, callers: int, how: str) -> None:
        holds = self.purse.wallets.holds
        close = holds.release if how == "released" else holds.expire
        self.step(
            seen,
            lambda tx, _: close(tx, seen.real, CAUSE),
            lambda: self.model.closes(seen.number, seen.model, how, self.now),
            callers,
        )

    @rule(target=facts, seen=consumes(holds), cost=st.integers(0, 4000), late=st.integers(0, 500), callers=callers)
    def bill(self, seen: Seen, cost: int, late: int, callers: int) -> Any:  # noqa: ANN401  none, or what corrects it
        session = seen.real.charging_session_id
        assert session is not None
        captured = self.tell(
            lambda tx, _: self.purse.wallets.holds.capture(tx, seen.real, earned(cost), CAUSE, self.now),
            lambda: self.model.captures(seen.number, seen.model, cost, self.now),
            callers,
        )
        if not (cost and any(isinstance(one, Hold) for one in captured)):
            return multiple()
        note = DocumentId(uuid4())
        credited = self.fact(
            lambda tx, wallet: self.money.credit(tx, wallet, session, note, earned(cost), CAUSE),
            lambda: self.model.credits(f"{note}", seen.number, cost, self.now),
            callers,
        )
        if not late:
            return credited

        async def correct(tx: Transaction, wallet: Wallet) -> bool:
            reference = f"capture:{session}"
            wrong = await tx.find(LedgerPosting, operator_id=self.purse.operator, reference=reference)
            assert wrong is not None
            return await self.purse.wallets.money.correct(tx, wallet, session, 1, earned(late), wrong.id, CAUSE)

        return multiple(credited, self.fact(correct, lambda: self.model.costs(f"{session} late", late), callers))

    # --- granted credit, time, and what stops new wishes --------------------------------------------------------

    @rule(amount=minor, callers=callers, days=st.integers(1, 9), again=st.booleans())
    def grant(self, amount: int, callers: int, days: int, again: bool) -> None:
        key, lasts = uuid4().hex, timedelta(days=days, seconds=len(self.model.grants))
        for _ in range(2 if again else 1):
            self.tell(
                lambda _, wallet: self.purse.wallets.promos.grant(wallet, eur(amount), lasts, "Welcome", key, CAUSE),
                lambda: self.model.grants_(key, amount, self.now + lasts),
                callers,
                alone=True,
            )

    @rule(days=st.integers(1, 9))
    def days_pass(self, days: int) -> None:
        self.purse.clock.advance(timedelta(days=days))

    @rule()
    def lapse(self) -> None:
        at = self.purse.operator
        self.tell(lambda *_: self.purse.wallets.promos.lapse(at), lambda: self.model.lapses(self.now), 1, alone=True)

    @rule(is_frozen=st.sampled_from([True, False, False]))
    def freeze(self, is_frozen: bool) -> None:
        at = (self.purse.operator, self.purse.wallet.id)
        marking = self.purse.wallets.freeze(*at, "audit") if is_frozen else self.purse.wallets.unfreeze(*at)
        self.loop.run_until_complete(marking)
        self.model.is_frozen = is_frozen
