"""The contract, and the gateway over a small world."""

from __future__ import annotations

import pytest

from resolvers import schema
from tests.resolvers.gateway import gateway, small

__all__ = ["gateway", "small"]


@pytest.fixture(scope="session")
def contract() -> schema.GatewaySchema:
    """The schema of the product."""
    return schema.build()
