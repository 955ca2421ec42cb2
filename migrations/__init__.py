"""The store's shape over time: Alembic revisions, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

HERE = Path(__file__).parent


class UnknownRevision(Exception):
    """The store is at a revision that this code has never heard of."""


def upgrade(url: str) -> None:
    """Bring the store at this address to the newest revision; told twice it changes nothing.

    Not to be called inside a running event loop. SQLite's folder is made if it is missing. Raises UnknownRevision.
    """
    path = url.removeprefix("sqlite+aiosqlite:///")
    if path != url:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    try:
        command.upgrade(_config(url), "head")
    except CommandError as error:
        raise UnknownRevision(str(error)) from None


def newest() -> str:
    """The revision that this code needs."""
    head = ScriptDirectory(str(HERE)).get_current_head()
    assert head is not None
    return head


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["url"] = url
    return config
