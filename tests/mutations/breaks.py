"""Deliberate breaks, each small enough to slip into a review, and the check that must notice it.

A check that stays green under its break is worth nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest
from sqlalchemy import text

from domain.database import Database

Check = Callable[[Database], Awaitable[None]]
Patch = Callable[[pytest.MonkeyPatch, Database], None]
BOTH, SQLITE, POSTGRES = ("sqlite", "postgres"), ("sqlite",), ("postgres",)


@dataclass(frozen=True)
class Break:
    """`patch` breaks the product, `schema` the store; `check` must turn red on these engines."""

    name: str
    check: Check
    engines: tuple[str, ...]
    patch: Patch
    schema: Mapping[str, str] = field(default_factory=dict)

    async def made_in(self, database: Database) -> None:
        """Break the store."""
        statement_ = self.schema.get("sqlite" if database.is_sqlite else "postgres")
        if statement_ is not None:
            async with database.transaction() as tx:
                await tx.execute(text(statement_))


BREAKS: list[Break] = []


def broken(check: Check, *engines: str, **schema: str) -> Callable[[Patch], Patch]:
    """A break by the name of its patch."""

    def noted(patch: Patch) -> Patch:
        BREAKS.append(Break(patch.__name__, check, engines or BOTH, patch, schema))
        return patch

    return noted
