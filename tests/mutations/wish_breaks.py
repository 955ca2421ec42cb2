"""Breaks of wishes: what is noted, remembered and asked of the provider, what facts move, what a credit is made of."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from domain.database import Database, Transaction
from domain.disputes import service as disputes
from domain.ledger import Earned, issue
from domain.money import Money
from domain.payments import CheckoutRequest, asking, settling, wishes
from domain.sessions import charging
from tests.domain import wishes as promises
from tests.mutations.breaks import POSTGRES, broken


@broken(promises.facts_told_again_credit_once)
def the_whole_position_is_posted_and_not_the_difference(patched: pytest.MonkeyPatch, _: Database) -> None:
    original = settling.Settling._credit

    async def credit(self: settling.Settling, tx: Transaction, payment: Any, wish: Any, now: Any) -> Any:  # noqa: ANN401
        return await original(self, tx, payment.model_copy(update={"captured_minor": 0}), wish, now)

    patched.setattr(settling.Settling, "_credit", credit)


@broken(promises.a_top_up_is_wished_once)
def whoever_comes_asks_the_provider(patched: pytest.MonkeyPatch, _: Database) -> None:
    patched.setattr(asking, "_as_it_was", lambda attempt: {"operator_id": attempt.operator_id, "id": attempt.id})


@broken(promises.a_credit_gives_tax_back)
def a_credit_keeps_the_tax(patched: pytest.MonkeyPatch, _: Database) -> None:
    patched.setattr(disputes, "share_of", lambda cdr, refund: Earned(cdr.country, refund, Money(0, cdr.currency), ()))


@broken(promises.a_credit_note_has_the_next_number_whatever_dies, *POSTGRES)
def a_credit_note_is_numbered_in_a_transaction_of_its_own(patched: pytest.MonkeyPatch, database: Database) -> None:
    """On SQLite it would wait for itself."""

    async def issue_apart(_: Transaction, *more: Any) -> object:  # noqa: ANN401  as it is
        async with database.transaction() as other:
            return await issue(other, *more)

    patched.setattr(disputes, "issue", issue_apart)


@broken(promises.a_refusal_stays_a_refusal)
def a_refusal_is_not_remembered(patched: pytest.MonkeyPatch, _: Database) -> None:
    patched.setattr(charging, "remember", lambda *_: asyncio.sleep(0))


@broken(promises.a_wish_is_noted_before_anybody_is_asked)
def a_wish_is_noted_after_the_call(patched: pytest.MonkeyPatch, _: Database) -> None:
    original = wishes.Wishes._note_new

    async def note_new(self: wishes.Wishes, tx: Transaction, wallet: Any, wanted: Any) -> Any:  # noqa: ANN401
        payment, _wish, attempt = self._rows(wallet, wanted)
        request = CheckoutRequest(payment.merchant_reference, wanted.amount, "", "DE", "", payment.expires_at)
        await gateways[-1].open_checkout(request, attempt.id)
        return await original(self, tx, wallet, wanted)

    gateways: list[Any] = []
    made = asking.Asking.__init__

    def init(self: asking.Asking, database: Database, gateway: Any, clock: Any) -> None:  # noqa: ANN401
        gateways.append(gateway)
        made(self, database, gateway, clock)

    patched.setattr(asking.Asking, "__init__", init)
    patched.setattr(wishes.Wishes, "_note_new", note_new)


@broken(promises.a_hanging_provider_stalls_nobody_else)
def the_provider_is_called_inside_a_transaction(patched: pytest.MonkeyPatch, _: Database) -> None:
    original = asking.Asking._call

    async def call(self: asking.Asking, attempt: Any) -> Any:  # noqa: ANN401  as it is
        async with self._database.transaction():
            return await original(self, attempt)

    patched.setattr(asking.Asking, "_call", call)


@broken(promises.an_unknown_answer_is_asked_for_under_the_same_key)
def every_try_has_a_key_of_its_own(patched: pytest.MonkeyPatch, _: Database) -> None:
    original = asking.Asking._call

    async def call(self: asking.Asking, attempt: Any) -> Any:  # noqa: ANN401  as it is
        return await original(self, attempt.model_copy(update={"id": uuid4()}))

    patched.setattr(asking.Asking, "_call", call)
