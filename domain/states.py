"""One step along a table of lawful moves; the only way a status changes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)


class UnlawfulMove(AssertionError):
    """A step the table does not know: callers check first, so reaching this is a bug."""


def move(life: Mapping[S, frozenset[S]], now: S, to: S) -> S:
    """Return `to` if the table allows the step from `now`."""
    if to not in life[now]:
        raise UnlawfulMove(f"{type(now).__name__} {now} -> {to}")
    return to


def may_move(life: Mapping[S, frozenset[S]], now: S, to: S) -> bool:
    """Whether the table allows the step."""
    return to in life[now]
