from __future__ import annotations

from collections.abc import Callable, Coroutine

import pytest

from domain.database import Database
from tests.domain.wishes import WISHES


@pytest.mark.parametrize("promise", WISHES, ids=lambda promise: promise.__name__)
async def test_what_is_promised_to_whoever_wishes(
    database: Database, promise: Callable[[Database], Coroutine[None, None, None]]
) -> None:
    await promise(database)
