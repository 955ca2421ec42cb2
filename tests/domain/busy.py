"""Why the store said that it was busy, counted: with locks taken in one order, `deadlock` never is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from domain import engines
from domain.errors import TryAgain


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Inside, every TryAgain of the store by its reason, retried ones too."""
    told: Counter[str] = Counter()

    class Counted(TryAgain):
        def __init__(self, reason: str = "busy") -> None:
            told[reason] += 1
            super().__init__(reason)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(engines, "TryAgain", Counted)
        yield told
