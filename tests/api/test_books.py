"""`tallywatt audit`, `grant` and `unfreeze`: what they print, what they find, how they end."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from api.books import BLIND, BROKEN, SOUND
from api.settings import Settings
from domain.auditing import CHECKS
from domain.clock import SystemClock
from domain.database import Database
from domain.ids import Ids
from domain.ledger import REPLAYED, Sealer
from domain.wallets import Wallet
from tests.api.test_cli import Ran, Run, one_line, run
from tests.domain.wallets.bank import Bank

__all__ = ["run"]
FALSIFIED = (
    "UPDATE ledger_account SET balance_minor = balance_minor + 1 WHERE code = 'wallet_available' AND owner = '{}'"
)


class Till:
    """A store with two drivers, and the command line over it."""

    def __init__(self, url: str, command: Run) -> None:
        self._url, self._command = url, command
        self.euros, self.other, self.yen = self.within(self._founded)

    def run(self, *words: str) -> Ran:
        return self._command(*words, TALLYWATT_DATABASE_URL=self._url)

    def within(self, work: Callable[[Bank], Any]) -> Any:  # noqa: ANN401  whatever it says
        async def whole() -> object:
            database = Database(self._url)
            try:
                return await work(await Bank(database, Settings.from_environment().operator_id).entered())
            finally:
                await database.close()

        return asyncio.run(whole())

    async def _founded(self, bank: Bank) -> tuple[Wallet, Wallet, Wallet]:
        await bank.founded(drivers=2)
        first, second = bank.pairs
        async with bank.database.transaction() as tx:
            yen = await bank.wallets.open(tx, bank.operator, first[0].driver_id, "JPY")
        clock = SystemClock()
        assert await Sealer(bank.database, clock, Ids(clock)).seal_all(bank.operator) == 4
        return first[0], second[0], yen

    def sql(self, statement: str) -> None:
        async def work(bank: Bank) -> None:
            async with bank.database.transaction() as tx:
                await tx.execute(text(statement))

        self.within(work)

    def money(self, wallet: Wallet) -> tuple[int, int]:
        """Available, granted."""
        found = self.within(lambda bank: bank.wallets.balance(wallet))
        return found.available.minor, found.promo.minor

    def wallet(self, wallet: Wallet) -> Wallet:
        async def work(bank: Bank) -> Wallet:
            return await bank.wallets.wallet(bank.operator, wallet.id, wallet.driver_id)

        found: Wallet = self.within(work)
        return found


@pytest.fixture
def till(run: Run, database_url: str) -> Till:
    return Till(database_url, run)


def told(ran: Ran) -> dict[str, Any]:
    code, out, err = ran
    assert err == ""
    read: dict[str, Any] = json.loads(out)
    assert read["sound"] is (code == SOUND)
    return read


def test_sound_books_are_told_check_by_check(till: Till) -> None:
    code, out, err = till.run("audit")
    *checks, last = out.splitlines()
    assert (code, err, last, len(checks)) == (SOUND, "", "The books balance.", len(CHECKS))
    assert all(line.endswith(" sound") for line in checks)
    assert checks[0].split() == ["I1", "entries", "are", "the", "net", "of", "transfers", "4", "sound"]
    assert len(till.run("audit", "--replay")[1].splitlines()) == 1 + len(CHECKS) + len(REPLAYED)


def test_a_broken_row_is_named_and_the_look_ends_there(till: Till) -> None:
    till.sql(FALSIFIED.format(till.euros.id))
    code, out, err = till.run("audit")
    *_, broken, where, last = out.splitlines()
    assert (code, err, last) == (BROKEN, "", "The books do not balance.")
    assert broken.startswith("I2")
    assert broken.endswith("BROKEN")
    place = f"ledger_account account wallet_available/{till.euros.id}"
    assert where.strip() == f"{place}: version, balance_minor (1, 20001), expected (1, 20000)"
    assert len(out.splitlines()) < len(CHECKS)
    code, out, _ = till.run("audit", "--all")
    assert (code, len([line for line in out.splitlines() if line[:1] == "I"])) == (BROKEN, len(CHECKS))
    assert out.count("BROKEN") == 2


def test_one_json_object_says_it_all(till: Till) -> None:
    sound = told(till.run("audit", "--json", "--replay"))
    assert [set(check) for check in sound["checks"]] == [{"code", "title", "looked_at"}] * (len(CHECKS) + len(REPLAYED))
    till.sql(FALSIFIED.format(till.euros.id))
    broken = told(till.run("audit", "--json"))["checks"][-1]
    assert broken["broken"] == {
        "table": "ledger_account",
        "key": f"account wallet_available/{till.euros.id}",
        "column": "version, balance_minor",
        "expected": "(1, 20000)",
        "found": "(1, 20001)",
        "wallets": [str(till.euros.id)],
    }


def test_one_wallet_can_be_looked_at_and_what_came_after_a_seal(till: Till) -> None:
    till.sql(FALSIFIED.format(till.euros.id))
    assert till.run("audit", "--wallet", str(till.other.id))[0] == SOUND
    assert till.run("audit", "--wallet", str(till.euros.id))[0] == BROKEN
    one = told(till.run("audit", "--json", "--wallet", str(till.other.id)))
    assert one["checks"][0]["looked_at"] == 1
    since = told(till.run("audit", "--json", "--all", "--since", "4"))
    assert next(check for check in since["checks"] if check["code"] == "I8")["looked_at"] == 0
    assert (
        next(check for check in told(till.run("audit", "--json", "--all"))["checks"] if check["code"] == "I8")[
            "looked_at"
        ]
        == 4
    )


@pytest.mark.parametrize(
    "words", [("--wallet", str(uuid.uuid4())), ("--since", "99")], ids=["unknown wallet", "unknown seal"]
)
def test_what_is_not_there_cannot_be_looked_at(till: Till, words: tuple[str, str]) -> None:
    code, out, err = till.run("audit", *words)
    assert (code, out) == (BLIND, "")
    assert err.startswith("tallywatt: nobody could look: There is no such")


def test_a_gift_is_given_once_for_its_key(till: Till) -> None:
    words = ("grant", str(till.euros.id), "5.00", "--reason", "Welcome", "--key", "welcome-1")
    for _ in range(2):
        code, out, err = till.run(*words, "--days", "10")
        assert (code, err) == (0, "")
        assert out.startswith("5.00 EUR granted until 2")
    assert till.money(till.euros) == (20_000, 500)
    assert "another time" in one_line(till.run(*words, "--days", "11"))
    assert till.run("grant", str(till.yen.id), "150", "--reason", "Hello", "--key", "welcome-1")[0] == 0
    assert till.money(till.yen) == (0, 150)
    assert till.run("audit")[0] == SOUND


@pytest.mark.parametrize(
    "amount", ["1.5", "0", "-5", "1e30", "NaN", "Infinity", "five", "9223372036854775808", "0.1", "1e-40"]
)
def test_an_amount_that_is_none_of_the_currency_is_not_given(till: Till, amount: str) -> None:
    one_line(till.run("grant", str(till.yen.id), "--reason=Hello", "--key=k", "--", amount))
    assert till.money(till.yen) == (0, 0)


def test_nothing_is_given_to_a_wallet_that_is_not_there(till: Till) -> None:
    assert "no such wallet" in one_line(till.run("grant", str(uuid.uuid4()), "5", "--reason", "Hello", "--key", "k"))


def test_a_frozen_wallet_moves_again_when_somebody_has_looked(till: Till) -> None:
    till.within(lambda bank: bank.wallets.freeze(bank.operator, till.euros.id, "audit I2"))
    gift = ("grant", str(till.euros.id), "5", "--reason", "Hello", "--key", "k")
    assert "frozen" in one_line(till.run(*gift))
    assert till.run("unfreeze", str(till.euros.id))[0] != 0, "a reason is needed"
    assert till.wallet(till.euros).frozen_at is not None
    code, out, _ = till.run("unfreeze", str(till.euros.id), "--reason", "A typing error, corrected; Ada")
    assert (code, out.splitlines()[-1]) == (0, f"Wallet {till.euros.id} moves again.")
    assert "A typing error, corrected; Ada" in out
    assert till.wallet(till.euros).frozen_at is None
    assert till.run(*gift)[0] == 0
    assert "no such wallet" in one_line(till.run("unfreeze", str(uuid.uuid4()), "--reason", "None"))
