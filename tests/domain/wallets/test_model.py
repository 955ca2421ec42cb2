"""Whatever is told to a wallet, in any order, twice or at once: a pure model has predicted every answer and balance."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from domain.database import Database
from domain.ledger import CHECKS as LEDGER_CHECKS
from domain.ledger import REPLAYED
from domain.wallets import CHECKS
from tests.domain.ledger.books import verdicts
from tests.domain.wallets.machine import WalletMachine

SLOW = list(HealthCheck)


def agree(url: str, examples: int, steps: int) -> None:
    """Tell many stories, then audit all books at once."""
    with asyncio.Runner() as runner:
        database = Database(url)
        loop = runner.get_loop()
        try:
            run_state_machine_as_test(
                lambda: WalletMachine(loop, database),  # type: ignore[arg-type]
                settings=settings(
                    max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=SLOW
                ),
            )
            assert runner.run(verdicts(database, (*LEDGER_CHECKS, *CHECKS, *REPLAYED))) == {}
        finally:
            runner.run(database.close())


def test_a_model_predicts_every_answer_and_every_balance(database_url: str) -> None:
    agree(database_url, examples=30, steps=20)


@pytest.mark.soak
def test_a_model_predicts_every_answer_and_every_balance_of_long_stories(database_url: str) -> None:
    agree(database_url, examples=2000, steps=50)
