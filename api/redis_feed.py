"""The feed over several processes: whole states through Redis pub/sub, delivered at most once.

What is lost on the way costs latency only. While Redis is away every mailbox is told to look at its row every three
seconds, and once more when messages come again; publishing never waits for Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from domain.ids import ChargingSessionId
from domain.sessions import ChargingSession, Mailbox

REDIS_SECONDS = 0.5
"""The longest that one exchange with Redis may take."""
AWAY_SECONDS = 3.0
"""How often mailboxes look for themselves while Redis is away, and the longest silence that passes unnoticed."""
MOST_WAITING = 10_000
"""States of sessions that wait to be sent; beyond it the oldest are dropped."""

_PREFIX = "tallywatt:session:"
_HOME = "tallywatt:feed"  # always subscribed, so that a connection is known to be good before anybody listens
_BATCH = 100
_AWAY = (RedisError, OSError)  # TimeoutError is an OSError
_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Channel:
    """Everybody in this process who listens for one session; `may_lack` if they did so while nothing was heard."""

    mailboxes: set[Mailbox] = field(default_factory=set)
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    may_lack: bool = False

    def put(self, session: ChargingSession) -> None:
        for mailbox in self.mailboxes:
            mailbox.put(session)

    def nudge(self) -> None:
        for mailbox in self.mailboxes:
            mailbox.nudge()

    def begin(self) -> None:
        """From now on messages come; those who were there before look for what they missed."""
        self.subscribed.set()
        if self.may_lack:
            self.nudge()
        self.may_lack = False

    def end(self) -> None:
        """No message comes any more."""
        self.subscribed.clear()
        self.may_lack = True
        self.nudge()


class RedisFeed:
    """Answers domain.sessions.Feed; one subscribing connection a process, whatever the number of listeners."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            max_connections=4,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
        )
        self._channels: dict[str, _Channel] = {}
        self._outbox: dict[ChargingSessionId, ChargingSession] = {}
        self._filled, self._emptied, self._changed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = asyncio.Event()

    async def publish(self, session: ChargingSession) -> None:
        """Tell everybody who listens: this process at once, the others as soon as Redis takes it."""
        if channel := self._channels.get(_name_of(session.id)):
            channel.put(session)
        waiting = self._outbox.get(session.id, session)
        self._outbox[session.id] = max(waiting, session, key=lambda state: state.revision)
        if len(self._outbox) > MOST_WAITING:
            del self._outbox[next(iter(self._outbox))]
        self._filled.set()
        self._emptied.clear()
        self._begin()

    @asynccontextmanager
    async def listen(self, session: ChargingSessionId) -> AsyncIterator[Mailbox]:
        """A mailbox that is filled from now on; when Redis does not answer it is told to look for itself."""
        self._begin()
        name, mailbox = _name_of(session), Mailbox()
        channel = self._channels.setdefault(name, _Channel())
        channel.mailboxes.add(mailbox)
        self._changed.set()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REDIS_SECONDS):
                    await channel.subscribed.wait()
            channel.may_lack |= not channel.subscribed.is_set()
            yield mailbox
        finally:
            channel.mailboxes.discard(mailbox)
            if not channel.mailboxes:
                del self._channels[name]
                self._changed.set()

    async def ping(self) -> None:
        """Raise if Redis does not answer; for health."""
        await self._redis.execute_command("PING")  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Send what waits, if that is quick, and hang up."""
        self._closed.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REDIS_SECONDS):
                if self._outbox:
                    await self._emptied.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    def _begin(self) -> None:
        if not self._tasks and not self._closed.is_set():
            self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]
            for task in self._tasks:
                task.add_done_callback(_tell)

    # --- out ---

    async def _send(self) -> None:
        """Empty the outbox, the newest state of each session; what Redis does not take is dropped."""
        is_lost = False
        while True:
            _heed()
            await self._filled.wait()
            batch = [self._outbox[id_] for id_ in list(self._outbox)[:_BATCH]]
            try:
                async with asyncio.timeout(REDIS_SECONDS):
                    await self._publish(batch)
            except _AWAY as error:
                if not is_lost:
                    _log.warning("feed_cannot_publish", error=type(error).__name__)
                is_lost = True
            else:
                is_lost = False
            for session in batch:
                if self._outbox.get(session.id) is session:
                    del self._outbox[session.id]
            if not self._outbox:
                self._filled.clear()
                self._emptied.set()

    async def _publish(self, batch: list[ChargingSession]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for session in batch:
                pipeline.publish(_name_of(session.id), orjson.dumps(session.model_dump(mode="json")))
            await pipeline.execute()

    # --- in ---

    async def _receive(self) -> None:
        """Stay connected. Every attempt that fails makes all mailboxes look."""
        pause = 0.05
        while not self._closed.is_set():
            began = time.monotonic()
            line = _Line(self._redis.connection_pool.make_connection())  # type: ignore[no-untyped-call]
            try:
                await line.open()
                if self._closed.is_set():
                    break
                _log.info("feed_connected")
                await self._serve(line)
            except* _AWAY as errors:
                _log.warning("feed_disconnected", error=type(errors.exceptions[0]).__name__)
            finally:
                await line.close()
            for channel in self._channels.values():
                channel.end()
            pause = 0.05 if time.monotonic() - began > AWAY_SECONDS else min(2 * pause, AWAY_SECONDS - REDIS_SECONDS)
            await asyncio.sleep(pause)

    async def _serve(self, line: _Line) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_subscribed(line))
            group.create_task(self._read(line))

    async def _keep_subscribed(self, line: _Line) -> None:
        """Subscribe to what is listened for and to nothing else; when nothing changes, see that Redis is there."""
        while True:
            _heed()
            self._changed.clear()
            await line.subscribe(self._channels)
            _heed()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AWAY_SECONDS / 3):
                    await self._changed.wait()
                continue
            await line.ping()

    async def _read(self, line: _Line) -> None:
        while True:
            kind, name, content = await line.read(AWAY_SECONDS)
            channel = line.channels.get(name)
            if kind == b"subscribe" and line.is_answered(name) and channel:
                channel.begin()
            elif channel and kind == b"message":
                session = _session(content)
                if session is not None and _name_of(session.id) == name:
                    channel.put(session)
                else:  # another release may say it differently: the row is there to be read
                    channel.nudge()


class _Line:
    """One subscribing connection, from its opening to its end, and the channels it has asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.channels: dict[str, _Channel] = {}
        self._unanswered: Counter[str] = Counter()

    async def open(self) -> None:
        await self._connection.connect()  # type: ignore[no-untyped-call]
        await self._connection.send_command("SUBSCRIBE", _HOME)
        await self.read(REDIS_SECONDS)

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)

    async def subscribe(self, wanted: dict[str, _Channel]) -> None:
        """Make the server's list equal to this one; a channel that was left and entered again is asked for anew."""
        added = [name for name, channel in wanted.items() if self.channels.get(name) is not channel]
        left = [name for name in self.channels if name not in wanted]
        self.channels = dict(wanted)
        self._unanswered.update(added)
        if left:
            await self._connection.send_command("UNSUBSCRIBE", *left)
        if added:
            await self._connection.send_command("SUBSCRIBE", *added)

    async def ping(self) -> None:
        await self._connection.send_command("PING")

    async def read(self, seconds: float) -> tuple[bytes, str, bytes]:
        """Kind, channel and content of the next message. Raises TimeoutError after a silence: a ping had no answer."""
        answer = await self._connection.read_response(timeout=seconds)
        if not isinstance(answer, list):
            raise TimeoutError
        kind, name, content = (*answer, b"")[:3]
        return kind, name.decode(errors="replace"), content if isinstance(content, bytes) else b""

    def is_answered(self, name: str) -> bool:
        """Take note of an answer to SUBSCRIBE: whether none is due any more."""
        self._unanswered[name] -= 1
        if self._unanswered[name] > 0:
            return False
        del self._unanswered[name]
        return True


def _heed() -> None:
    """Cancel again: until Python 3.12 `asyncio.wait_for`, by which redis-py writes, may swallow a cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (bug := task.exception()):
        _log.error("feed_ended", exc_info=bug)


def _name_of(session: ChargingSessionId) -> str:
    return f"{_PREFIX}{session}"


def _session(content: bytes) -> ChargingSession | None:
    """The state that another process published; None for anything else."""
    try:
        return ChargingSession.model_validate(orjson.loads(content))
    except (ValueError, ValidationError) as error:
        _log.warning("feed_message_unreadable", error=type(error).__name__)
        return None
