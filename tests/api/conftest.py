"""The gateway over a small world, and an environment in which nothing of ours is set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.resolvers.gateway import gateway, small

__all__ = ["gateway", "small"]


@pytest.fixture
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting, in a folder without files."""
    for name in os.environ:
        if name.startswith(("TALLYWATT_", "ADYEN_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
