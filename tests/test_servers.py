"""The servers that every other test stands on."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from tests.servers import SAFE, Postgres, Servers, Valkey

ROOT = Path(__file__).parent.parent


def rows_of(server: Postgres) -> str:
    return server.sql("SELECT string_agg(word, ',' ORDER BY word) FROM kept")


async def connected(server: Postgres, password: str = "") -> asyncpg.Connection:
    url = server.url(scheme="postgresql")
    return await asyncpg.connect(url, **({"password": password} if password else {}))


async def test_postgres_answers_asyncpg(postgres_server: Postgres) -> None:
    connection = await connected(postgres_server)
    assert await connection.fetchval("SHOW timezone") == "UTC"
    assert await connection.fetchval("SELECT 'B' < 'a' AND 'ä' > 'z'"), "text sorts by code point"
    await connection.close()


async def test_postgres_answers_nobody_without_the_password(postgres_server: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connected(postgres_server, password="guessed")


def test_a_refused_statement_says_why(postgres_server: Postgres) -> None:
    with pytest.raises(RuntimeError, match="nowhere"):
        postgres_server.sql("SELECT 1 FROM nowhere")


def test_a_database_is_copied_from_a_template(postgres_server: Postgres) -> None:
    postgres_server.sql("CREATE DATABASE mould")
    postgres_server.sql("CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('a')", database="mould")
    postgres_server.sql("CREATE DATABASE copied TEMPLATE mould STRATEGY file_copy")
    assert postgres_server.sql("SELECT word FROM kept", database="copied") == "a"
    postgres_server.sql("DROP DATABASE copied WITH (FORCE)", "DROP DATABASE mould")


def test_a_killed_postgres_comes_back_with_what_it_acknowledged(servers: Servers) -> None:
    server = servers.postgres("killed", SAFE)
    server.sql("CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('a')")
    server.kill()
    with pytest.raises(RuntimeError, match="psql ended with 2"):
        server.sql("SELECT 1")
    server.start()
    assert rows_of(server) == "a"
    server.stop()


def test_a_standby_takes_over(servers: Servers) -> None:
    primary = servers.postgres("primary", SAFE)
    standby = servers.replica(primary)
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
    while primary.sql("SELECT sync_state FROM pg_stat_replication") != "sync":
        time.sleep(0.05)
    primary.sql("CREATE TABLE kept (word text)", "INSERT INTO kept VALUES ('a')")
    primary.kill()
    standby.sql("SELECT pg_promote()", "INSERT INTO kept VALUES ('b')")
    assert rows_of(standby) == "a,b"
    standby.stop()


async def test_valkey_answers_and_forgets(valkey_url: str, valkey_server: Valkey) -> None:
    async with Redis.from_url(valkey_url) as client:
        await client.set("word", "a")
        assert await client.get("word") == b"a"
        valkey_server.flush()
        assert await client.get("word") is None


def test_a_killed_valkey_comes_back(servers: Servers) -> None:
    server = servers.valkey("killed-valkey")
    server.kill()
    with pytest.raises(AssertionError):
        server.flush()
    server.start()
    server.flush()
    server.stop()


def test_servers_end_with_their_block_and_change_nothing_around_them() -> None:
    def around() -> list[object]:
        parents = {*ROOT.parents, *Path(sys.prefix).resolve().parents, *Path(tempfile.gettempdir(), "x").parents}
        return [pwd.getpwall(), *((path, path.stat().st_mode, path.stat().st_uid) for path in sorted(parents))]

    before = around()
    with Servers() as servers:
        started = (servers.postgres(), servers.valkey())
        assert around() == before
        assert 0 not in {
            Path(f"/proc/{server.process.pid}").stat().st_uid for server in started if Path("/proc/1").exists()
        }
    assert around() == before
    assert all(server.process.returncode == 0 for server in started)
    assert not servers.home.exists()
    assert not servers.memory.exists()


def test_a_killed_run_is_cleaned_up_after_and_a_living_one_is_not(servers: Servers) -> None:
    script = """if True:
        import os, signal
        from tests.servers import Servers
        servers = Servers().__enter__()
        print(servers.home, servers.memory, servers.postgres().process.pid, servers.valkey().process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    home, memory, *left = killed.stdout.split()
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert all(alive(int(pid)) for pid in left)
    bystander = subprocess.Popen([sys.executable, "-c", "input()", "postgres"], stdin=subprocess.PIPE)
    (Path(home) / "reused.pid").write_text(str(bystander.pid))
    with Servers():
        until = time.monotonic() + 10
        while (Path(home).exists() or any(alive(int(pid)) for pid in left)) and time.monotonic() < until:
            time.sleep(0.01)
    assert not any(alive(int(pid)) for pid in left)
    assert not Path(home).exists()
    assert not Path(memory).exists()
    assert (servers.home / "owner").exists()
    assert bystander.poll() is None, "a number that was given to another process since"
    bystander.communicate()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
