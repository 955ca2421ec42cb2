from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from starlette.testclient import TestClient

from api.health import health_app


async def sound() -> None:
    await asyncio.sleep(0)


async def refused() -> None:
    raise ConnectionRefusedError("postgresql://tallywatt:canary@postgres refused")


async def wrong() -> None:
    raise AssertionError("canary")


async def hanging() -> None:
    await asyncio.sleep(60)


async def cancelled() -> None:
    raise asyncio.CancelledError("canary")


def asked(path: str, **checks: Callable[[], Awaitable[None]]) -> tuple[int, dict[str, object], str]:
    with TestClient(health_app(checks)) as client:
        answer = client.get(path)
    return answer.status_code, answer.json(), answer.text + str(answer.headers)


def test_what_turns_is_live_whatever_fails() -> None:
    assert asked("/livez", database=refused)[:2] == (200, {"status": "live"})


def test_what_is_sound_is_ready() -> None:
    assert asked("/readyz", database=sound, redis=sound)[:2] == (200, {"status": "ready"})
    assert asked("/readyz")[:2] == (200, {"status": "ready"})


@pytest.mark.parametrize("failing", [refused, wrong, cancelled])
def test_a_failing_check_is_named_and_not_explained(failing: Callable[[], Awaitable[None]]) -> None:
    status, body, text = asked("/readyz", database=failing, redis=sound)
    assert (status, body) == (503, {"status": "not ready", "failing": ["database"]})
    assert "canary" not in text
    assert "no-store" in text


def test_all_failing_checks_are_named() -> None:
    assert asked("/readyz", redis=wrong, database=refused, keys=sound)[1]["failing"] == ["database", "redis"]


def test_checks_run_at_once_and_have_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.health.CHECK_SECONDS", 0.2)
    before = time.monotonic()
    status, body, _ = asked("/readyz", a=hanging, b=hanging, c=hanging, d=sound)
    assert time.monotonic() - before < 0.5
    assert (status, body["failing"]) == (503, ["a", "b", "c"])


def test_a_check_that_recovers_is_believed() -> None:
    errors: list[Exception] = [ConnectionRefusedError()]

    async def recovering() -> None:
        if errors:
            raise errors.pop()

    with TestClient(health_app({"database": recovering})) as client:
        assert [client.get("/readyz").status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/readyz", 405), ("HEAD", "/readyz", 200)]
)
def test_there_is_nothing_else(method: str, path: str, status: int) -> None:
    with TestClient(health_app({})) as client:
        assert client.request(method, path).status_code == status
