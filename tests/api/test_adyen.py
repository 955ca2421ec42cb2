"""A checkout is opened once for each key, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import httpx2
import pytest
from structlog.testing import capture_logs

from domain.payments import Answered, NotSent, Outcome, Refused, Unknown
from tests.api.adyen_account import API_KEY, MERCHANT, account, answer, gateway, started, wanted


@pytest.fixture(scope="module")
def standin() -> Iterator[str]:
    with started() as address:
        yield address


@pytest.fixture
def http(standin: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=standin, trust_env=False) as client:
        client.post("/admin/reset")
        yield client


async def test_a_checkout_is_opened_once_for_each_key(standin: str, http: httpx2.Client) -> None:
    request, key = wanted(), uuid4()
    with gateway(account(standin)) as asked:
        assert asked.merchant_account == MERCHANT
        first, again = [await asked.open_checkout(request, key) for _ in range(2)]
        other = await asked.open_checkout(request, uuid4())
    assert isinstance(first, Answered)
    assert first == again != other
    assert first.url.startswith(f"{standin}/pay/")
    sessions = http.get("/admin/books").json()["sessions"]
    assert [session["reference"] for session in sessions] == [request.reference] * 2


async def test_a_key_whose_answer_was_lost_gives_the_same_checkout(standin: str, http: httpx2.Client) -> None:
    request, key = wanted(), uuid4()
    http.post("/admin/faults", json={"answers": [{"fault": "charge_then_drop", "times": 1}]})
    with gateway(account(standin)) as asked:
        assert isinstance(await asked.open_checkout(request, key), Unknown)
        assert isinstance(await asked.open_checkout(request, key), Answered)
    assert len(http.get("/admin/books").json()["sessions"]) == 1


async def test_many_calls_share_a_few_connections(standin: str, http: httpx2.Client) -> None:
    with gateway(account(standin)) as asked:
        outcomes = await asyncio.gather(*(asked.open_checkout(wanted(), uuid4()) for _ in range(8)))
    assert all(isinstance(outcome, Answered) for outcome in outcomes)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ({"status": 500}, Unknown),
        ({"status": 500, "after_booking": True}, Unknown),
        ({"status": 502}, Unknown),
        ({"status": 503}, NotSent),
        ({"status": 503, "error_code": "905"}, Unknown),
        ({"status": 429}, NotSent),
        ({"status": 409, "transient": True}, Unknown),
        ({"status": 422, "transient": True}, Unknown),
        ({"status": 422}, Unknown),
        ({"status": 422, "error_code": "130"}, Refused),
        ({"status": 400, "error_code": "702"}, Refused),
        ({"status": 401}, NotSent),
        ({"status": 403, "error_code": "901"}, NotSent),
    ],
)
async def test_every_failure_is_one_of_the_four_answers(
    standin: str, http: httpx2.Client, failure: dict[str, object], expected: type[Outcome]
) -> None:
    http.post("/admin/faults", json={"answers": [{"fault": "error", "times": 1, **failure}]})
    outcome = await answer(account(standin))
    assert isinstance(outcome, expected)
    if isinstance(outcome, Refused):
        assert outcome.error_code == failure["error_code"]


async def test_wrong_input_is_refused_with_adyens_code(standin: str, http: httpx2.Client) -> None:
    assert await answer(account(standin), replace(wanted(), return_url="")) == Refused("14_030")
    assert await answer(account(standin), replace(wanted(), reference="")) == Refused("130")


@pytest.mark.parametrize(("key", "merchant"), [("not the key", MERCHANT), (API_KEY, "SomebodyElse")])
async def test_wrong_credentials_are_an_alarm_and_no_refusal(
    standin: str, http: httpx2.Client, key: str, merchant: str
) -> None:
    with capture_logs() as logs:
        outcome = await answer(replace(account(standin), api_key=key, merchant_account=merchant))
    assert isinstance(outcome, NotSent)
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("adyen_refuses_our_credentials", "error")]


async def test_nothing_that_is_secret_is_shown(
    standin: str, http: httpx2.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with capture_logs() as logs:
        opened = await answer(account(standin))
        for status in (401, 422, 500):
            failure = {"fault": "error", "times": 1, "status": status, "error_code": "999"}
            http.post("/admin/faults", json={"answers": [failure]})
            await answer(account(standin))
    assert isinstance(opened, Answered)
    shown = f"{logs} {caplog.text} {account(standin)!r}"
    (session,) = [one for one in http.get("/admin/books").json()["sessions"] if one["id"] == opened.checkout_session_id]
    for secret in (API_KEY, session["session_data"], opened.url, "drv-0123456789abcdef"):
        assert secret not in shown
