"""The process dies in the middle of a verb."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Crash(Exception):
    """The process died here."""


@contextmanager
def crashing(part: type[object], step: str) -> Iterator[None]:
    """Inside, this step of this class dies, and has to be reached; afterwards it works as before."""

    def dies(*args: object, **kwargs: object) -> object:
        raise Crash

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(part, step, dies)
        with pytest.raises(Crash):
            yield
