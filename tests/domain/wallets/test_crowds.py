from __future__ import annotations

from collections.abc import Callable, Coroutine

import pytest

from domain.database import Database
from tests.domain.wallets.crowds import CROWDS


@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd.__name__)
async def test_when_many_want_the_same_at_once(
    database: Database, crowd: Callable[[Database], Coroutine[None, None, None]]
) -> None:
    await crowd(database)
