"""`tallywatt audit`, `unfreeze` and `grant`: the books, looked at and looked after from a terminal."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated
from uuid import UUID

import orjson
import structlog
from cyclopts import Parameter, validators
from rich.console import Console

from api.app import House, StaleStore, StoreAway, opened
from api.settings import BadSettings, Settings
from domain.auditing import audited, since
from domain.errors import DomainError, NotFound
from domain.ids import Ids, WalletId
from domain.ledger import EVERYTHING, Cause, Scope, Verdict
from domain.money import Money
from domain.wallets import Wallet

out = Console()
err = Console(stderr=True)
_log = structlog.get_logger(__name__)
SOUND, BROKEN, BLIND = 0, 1, 2
"""Exit codes of an audit: nothing contradicts, something does, nobody could look."""
LONGEST_AMOUNT = 20


class CannotBeDone(Exception):
    """A command that was refused, and why."""


def audit(
    *,
    wallet: UUID | None = None,
    since_seal: Annotated[int | None, Parameter(name="--since", validator=validators.Number(gte=1))] = None,
    replay: Annotated[bool, Parameter(negative="")] = False,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Re-derive what the books say from their own rows, and stop at the first row that contradicts another.

    Exit code 0 if they are sound, 1 if a row contradicts another, 2 if nobody could look.

    Parameters
    ----------
    wallet
        Look at one wallet only.
    since_seal
        Look at what was posted after this seal only.
    replay
        Make balances again from the transfers alone, too.
    all_
        Go on after the first broken row.
    json
        Print one JSON object.

    """

    async def run() -> list[Verdict]:
        settings = Settings.from_environment()
        verdicts = []
        async with opened(settings) as house, house.services.database.snapshot() as reader:
            scope = EVERYTHING
            if wallet is not None:
                if await reader.find(Wallet, operator_id=settings.operator_id, id=wallet) is None:
                    raise NotFound("wallet")
                scope = Scope(wallet=WalletId(wallet))
            elif since_seal is not None:
                scope = await since(reader, settings.operator_id, since_seal)
            async for verdict in audited(reader, scope, replay=replay, to_the_end=all_):
                verdicts.append(verdict)
                if not json:
                    _show(verdict)
        return verdicts

    try:
        verdicts = asyncio.run(run())
    except (BadSettings, StaleStore, StoreAway, DomainError) as error:
        err.print(f"tallywatt: nobody could look: {error}", style="bold red", highlight=False, soft_wrap=True)
        sys.exit(BLIND)
    is_sound = all(verdict.broken is None for verdict in verdicts)
    if json:
        sys.stdout.write(orjson.dumps({"sound": is_sound, "checks": [_json(v) for v in verdicts]}).decode() + "\n")
    else:
        out.print("The books balance." if is_sound else "The books do not balance.")
    sys.exit(SOUND if is_sound else BROKEN)


def unfreeze(wallet: UUID, *, reason: str) -> None:
    """Let a wallet that an audit has frozen move again.

    Parameters
    ----------
    wallet
        Which one.
    reason
        Who has looked and what was found; it is logged.

    """

    async def run(house: House) -> None:
        row = await house.services.wallets.unfreeze(house.settings.operator_id, WalletId(wallet))
        _log.warning("wallet_unfrozen", wallet=str(row.id), reason=reason)
        out.print(f"Wallet {row.id} moves again.")

    _run(run)


def grant(
    wallet: UUID,
    amount: str,
    *,
    reason: str,
    key: str,
    days: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=3650))] = 90,
) -> None:
    """Give a driver credit that is spent before money, is never paid out, and runs out.

    Parameters
    ----------
    wallet
        Whose.
    amount
        In major units of the wallet's currency, such as 5.00.
    reason
        Why; kept with the posting.
    key
        Names this gift: the same key gives it once.
    days
        How long it lasts.

    """

    async def run(house: House) -> None:
        async with house.services.database.read() as reader:
            row = await reader.find(Wallet, operator_id=house.settings.operator_id, id=wallet)
        if row is None:
            raise NotFound("wallet")
        money = _money(amount, row.currency)
        cause = Cause(actor="operator:console", request_id=str(Ids(house.clock).new()))
        given = await house.services.wallets.promos.grant(row, money, timedelta(days=days), reason, key, cause)
        out.print(f"{given.amount} granted until {given.expires_at:%Y-%m-%d}.", highlight=False)

    _run(run)


def _run(command: Callable[[House], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        async with opened(Settings.from_environment()) as house:
            await command(house)

    try:
        asyncio.run(run())
    except DomainError as refusal:
        raise CannotBeDone(str(refusal)) from None


def _money(text: str, currency: str) -> Money:
    """An amount in major units, exactly. Raises CannotBeDone."""
    try:
        major = Decimal(text)
    except InvalidOperation:
        major = Decimal("NaN")
    if len(text) > LONGEST_AMOUNT or not major.is_finite() or abs(major.adjusted()) > LONGEST_AMOUNT:
        raise CannotBeDone(f"{text[:LONGEST_AMOUNT]!r} is not an amount of {currency}.")
    money = Money.rounded(major, currency)
    if money.major != major:
        raise CannotBeDone(f"{text!r} is not an amount of {currency}.")
    return money


def _show(verdict: Verdict) -> None:
    mark = "[green]sound[/]" if verdict.broken is None else "[bold red]BROKEN[/]"
    out.print(f"{verdict.code:<4} {verdict.title:<62} {verdict.looked_at:>9} {mark}", highlight=False, soft_wrap=True)
    if verdict.broken is not None:
        where = verdict.broken
        place = f"     {where.table} {where.key}: {where.column} {where.found}, expected {where.expected}"
        out.print(place, highlight=False, markup=False, soft_wrap=True)


def _json(verdict: Verdict) -> dict[str, object]:
    told: dict[str, object] = {"code": verdict.code, "title": verdict.title, "looked_at": verdict.looked_at}
    where = verdict.broken
    if where is not None:
        told["broken"] = {
            "table": where.table,
            "key": where.key,
            "column": where.column,
            "expected": where.expected,
            "found": where.found,
            "wallets": [str(wallet) for wallet in where.wallets],
        }
    return told
