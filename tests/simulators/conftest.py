"""A payment stand-in for the tests of one file, with empty books for each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.simulators.stand_in import StandIn, serving


@pytest.fixture(scope="module")
def shared() -> Iterator[StandIn]:
    with serving() as standin:
        yield standin


@pytest.fixture
def adyen(shared: StandIn) -> StandIn:
    return shared.afresh()


@pytest.fixture
def reference() -> str:
    return f"topup-{uuid.uuid4()}"
