"""A refusal stays a refusal: what was said no to is remembered under its key, and said again to whoever repeats it.

Wishes that were carried out are rows of their own capability; this is the table of those that were not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlmodel import Field, SQLModel

from domain import errors
from domain.columns import instant, key, text
from domain.database import Reader, Transaction
from domain.errors import DomainError, IdempotencyConflict
from domain.ids import OperatorId
from domain.money import Money

_FACTS: dict[type[DomainError], tuple[str, ...]] = {
    errors.InsufficientFunds: ("available", "required"),
    errors.WalletFrozen: (),
    errors.WalletClosed: (),
    errors.WalletInDebt: ("debt",),
    errors.EvseUnavailable: ("status",),
    errors.DeadlinePassed: ("deadline", "what"),
    errors.NothingLeftToCredit: (),
    errors.SelfDecision: (),
}
REMEMBERED = tuple(_FACTS)
"""Refusals that hold for ever. Invalid input, a missing object and a busy store are not decisions."""
_NAMES = {kind.__name__: kind for kind in _FACTS}


class RefusedWish(SQLModel, table=True):
    """One wish that was refused: who wanted what under which key, and the facts of the refusal."""

    __tablename__ = "refused_wish"
    operator_id: OperatorId = key()
    owner: str = Field(primary_key=True, max_length=255)
    verb: str = Field(primary_key=True, max_length=32)
    idempotency_key: str = Field(primary_key=True, max_length=64)
    wish: str = text()
    refusal: str = text()
    refused_at: datetime = instant()


class Wish(NamedTuple):
    """What somebody wants, once: the key names it, `facts` are the inputs that matter."""

    operator: OperatorId
    owner: str
    verb: str
    key: str
    facts: Mapping[str, str]


async def recall(reader: Reader, wish: Wish) -> None:
    """Refuse again what was refused under this key. Raises that refusal, or IdempotencyConflict for another wish."""
    found = await reader.find(
        RefusedWish, operator_id=wish.operator, owner=wish.owner, verb=wish.verb, idempotency_key=wish.key
    )
    if found is None:
        return
    same_wish(orjson.loads(found.wish), wish.facts)
    said = orjson.loads(found.refusal)
    kind = _NAMES[said["refusal"]]
    raise kind(**{name: _fact(said[name]) for name in _FACTS[kind]})


async def remember(tx: Transaction, wish: Wish, refusal: DomainError, at: datetime) -> None:
    """Write a refusal down, in the transaction in which it was decided; the first word counts."""
    said = {"refusal": type(refusal).__name__}
    facts = {name: _plain(getattr(refusal, name)) for name in _FACTS[type(refusal)]}
    await tx.insert_once(
        RefusedWish(
            operator_id=wish.operator,
            owner=wish.owner,
            verb=wish.verb,
            idempotency_key=wish.key,
            wish=orjson.dumps(dict(wish.facts)).decode(),
            refusal=orjson.dumps(said | facts).decode(),
            refused_at=at,
        )
    )


def same_wish(then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise IdempotencyConflict naming what is not as it was when the key was used first."""
    differs = [name for name in now if then.get(name) != now[name]]
    if differs:
        raise IdempotencyConflict(" and ".join(differs))


def _plain(value: object) -> object:
    if isinstance(value, Money):
        return {"minor": value.minor, "currency": value.currency}
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _fact(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return datetime.fromisoformat(value["at"]) if "at" in value else Money(value["minor"], value["currency"])
