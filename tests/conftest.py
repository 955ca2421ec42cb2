"""What tests may ask for. Servers start when the first test asks, once in a process, and end with it.

`database_url` gives a migrated database of the test's own, and runs the test twice: on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest

import migrations
from domain.database import Database
from tests.servers import Postgres, Servers, Valkey

hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Starts real servers; for tests that kill or freeze one of their own."""
    with Servers() as started:
        yield started


@pytest.fixture(scope="session")
def postgres_server(servers: Servers) -> Postgres:
    """The PostgreSQL that all tests of this process share."""
    return servers.postgres()


@pytest.fixture(scope="session")
def valkey_server(servers: Servers) -> Valkey:
    """The Valkey that all tests of this process share."""
    return servers.valkey()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> str:
    """A migrated, empty database, to be copied."""
    postgres_server.sql("CREATE DATABASE template_of_tests")
    migrations.upgrade(postgres_server.url("template_of_tests"))
    return "template_of_tests"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    migrations.upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    path = tmp_path / "tallywatt.sqlite3"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: Postgres, postgres_template: str) -> Iterator[str]:
    """A migrated PostgreSQL database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    postgres_server.sql(f"CREATE DATABASE {name} TEMPLATE {postgres_template} STRATEGY file_copy")
    yield postgres_server.url(name)
    postgres_server.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test's own, on one engine and then on the other."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The store over `database_url`."""
    store = Database(database_url)
    yield store
    await store.close()


@pytest.fixture
def valkey_url(valkey_server: Valkey) -> str:
    """An empty Valkey."""
    valkey_server.flush()
    return valkey_server.url()
