"""Live states of sessions: whole states after commit, never deltas, newest wins. The truth is the row.

The feed within one process lives here; one over several processes answers the same protocol.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from domain.ids import ChargingSessionId
from domain.sessions.models import ChargingSession


class Mailbox:
    """Room for one state: what is not newer than what was taken out is dropped, what is newer replaces what waits."""

    def __init__(self) -> None:
        self._newest: ChargingSession | None = None
        self._revision = 0
        self._look_again = False
        self._arrived = asyncio.Event()

    def put(self, session: ChargingSession) -> None:
        """Leave a state; never blocks."""
        if session.revision > self._revision:
            self._newest, self._revision = session, session.revision
            self._arrived.set()

    def nudge(self) -> None:
        """States may have been lost on the way: whoever waits must look at the row."""
        self._look_again = True
        self._arrived.set()

    async def take(self) -> ChargingSession | None:
        """The next state; None means that some may have been lost, so look at the row."""
        await self._arrived.wait()
        self._arrived.clear()
        newest, self._newest = self._newest, None
        if self._look_again:
            self._look_again = False
            return None
        return newest


class Feed(Protocol):
    """Where states are published after commit, and listened for before looking."""

    async def publish(self, session: ChargingSession) -> None:
        """Tell everybody who listens; never raises and never blocks for long."""
        ...

    def listen(self, session: ChargingSessionId) -> AbstractAsyncContextManager[Mailbox]:
        """A mailbox that is filled from now on, until the block ends."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class InProcessFeed:
    """A feed for one process; the default."""

    def __init__(self) -> None:
        self._mailboxes: defaultdict[ChargingSessionId, set[Mailbox]] = defaultdict(set)

    async def publish(self, session: ChargingSession) -> None:
        """Tell everybody who listens."""
        for mailbox in self._mailboxes.get(session.id, ()):
            mailbox.put(session)

    @asynccontextmanager
    async def listen(self, session: ChargingSessionId) -> AsyncIterator[Mailbox]:
        """A mailbox that is filled from now on, until the block ends."""
        mailbox = Mailbox()
        self._mailboxes[session].add(mailbox)
        try:
            yield mailbox
        finally:
            self._mailboxes[session].discard(mailbox)
            if not self._mailboxes[session]:
                del self._mailboxes[session]

    async def close(self) -> None:
        """Nothing to give back."""
