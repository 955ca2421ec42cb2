from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.stations import (
    COMMANDS,
    DUE_SECONDS,
    ROOT,
    TOKEN,
    ChargePoints,
    Gateway,
    free_port,
    running,
    serving,
    until,
)

RECEIVER = "/ocpi/2.2.1/receiver/sessions/DE/ABC/"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ChargePoints, Gateway]]:
    """Cars that charge for as long as a test looks at them."""
    log = tmp_path_factory.mktemp("slow") / "log"
    with serving() as gateway, running(gateway.server_port, log, "--speed", "60") as station:
        yield station, gateway


@pytest.fixture
def station(slow: tuple[ChargePoints, Gateway]) -> Iterator[ChargePoints]:
    """Without a car, before and after."""
    found = slow[0]
    yield found
    for session in found.sessions():
        if session["status"] == "ACTIVE":
            found.stop(session["id"])
    until(lambda: all(session["pushed"] == session["revisions"] for session in found.sessions()))


@pytest.fixture
def gateway(slow: tuple[ChargePoints, Gateway], station: ChargePoints) -> Gateway:
    """That has heard nothing yet."""
    found = slow[1]
    found.heard.clear()
    found.sessions.clear()
    return found


def assert_adds_up(session: dict[str, Any]) -> None:
    """Periods without a gap from the start to the last word, and their energy is the meter's."""
    at = datetime.fromisoformat(session["start_date_time"])
    energy = Decimal(0)
    for period in session["charging_periods"]:
        volumes = {part["type"]: part["volume"] for part in period["dimensions"]}
        assert datetime.fromisoformat(period["start_date_time"]) == at
        assert set(volumes) in ({"ENERGY", "TIME"}, {"PARKING_TIME"})
        hours = volumes["TIME"] if "TIME" in volumes else volumes["PARKING_TIME"]
        at += timedelta(seconds=round(hours * 3600))
        energy += volumes.get("ENERGY", Decimal(0))
    assert datetime.fromisoformat(session["last_updated"]) == at
    assert session["kwh"] == energy


def test_a_command_starts_a_session_that_is_told_from_its_first_second(station: ChargePoints, gateway: Gateway) -> None:
    assert station.start("E1")["data"] == {"result": "ACCEPTED", "timeout": 30}
    until(lambda: gateway.pushes().count("PATCH") >= 3)
    outcome, first, *_ = gateway.heard
    (session,) = station.sessions("E1")
    begun = first.body["start_date_time"]
    assert abs(datetime.now(UTC) - datetime.fromisoformat(begun)) < timedelta(seconds=DUE_SECONDS)
    assert (outcome.method, outcome.path, outcome.body) == ("POST", "/result/E1", {"result": "ACCEPTED"})
    assert (first.method, first.path) == ("PUT", RECEIVER + session["id"])
    expected = {"country_code": "DE", "party_id": "ABC", "id": session["id"], "start_date_time": begun}
    expected |= {"kwh": 0, "cdr_token": TOKEN, "auth_method": "COMMAND", "authorization_reference": "AUTH-1"}
    expected |= {"location_id": "LOC1", "evse_uid": "E1", "connector_id": "2", "currency": "EUR"}
    assert first.body == {**expected, "charging_periods": [], "status": "ACTIVE", "last_updated": begun}
    for heard in (outcome, first):
        assert heard.headers["authorization"] == "Token b3Vycw=="
        assert (heard.headers["ocpi-from-party-id"], heard.headers["ocpi-to-party-id"]) == ("ABC", "TWT")

    assert station.stop(session["id"])["data"]["result"] == "ACCEPTED"
    until(gateway.ended)
    whole = gateway.sessions[first.path]
    assert gateway.pushes().count("PUT") == 1
    assert gateway.heard[-2].body == {"result": "ACCEPTED"}
    assert gateway.heard[-1].body.keys() == {"kwh", "charging_periods", "status", "end_date_time", "last_updated"}
    assert all(len(heard.body["charging_periods"]) == 1 for heard in gateway.heard if heard.method == "PATCH")
    assert whole["end_date_time"] == whole["last_updated"]
    assert whole["kwh"] > 0
    assert_adds_up(whole)

    assert station.stop(session["id"], "again")["data"]["result"] == "ACCEPTED"
    until(lambda: gateway.results()[2:] == [("/again", "ACCEPTED")])
    count = len(gateway.pushes())
    until(lambda: station.sessions("E1")[0]["pushed"] == count)
    ended = {"status": "COMPLETED", "kwh": float(whole["kwh"]), "revisions": count, "pushed": count}
    assert station.sessions("E1") == [session | ended]


def test_the_same_command_told_twice_starts_one_session(station: ChargePoints, gateway: Gateway) -> None:
    assert [station.start("E2")["data"]["result"] for _ in range(3)] == ["ACCEPTED"] * 3
    assert len(station.sessions("E2")) == 1


def test_an_evse_that_charges_takes_no_second_car(station: ChargePoints, gateway: Gateway) -> None:
    station.start("E3")
    refused = station.start("E3", response_url=f"{station.gateway}/result/another")
    assert refused["data"]["result"] == "REJECTED"
    assert refused["data"]["message"] == [{"language": "en", "text": "EVSE_OCCUPIED"}]
    order = {"location_id": "LOC1", "evse_uid": "E3", "token": TOKEN}
    assert station.http.post("/admin/sessions", json=order).status_code == 409
    assert len(station.sessions("E3")) == 1


def test_a_card_at_the_station_needs_no_command(station: ChargePoints, gateway: Gateway) -> None:
    order = {"location_id": "LOC1", "evse_uid": "E4", "connector_id": "1", "token": TOKEN | {"type": "RFID"}}
    begun = station.http.post("/admin/sessions", json=order)
    path = RECEIVER + begun.json()["id"]
    assert begun.status_code == 201
    until(lambda: path in gateway.sessions)
    assert gateway.sessions[path]["auth_method"] == "WHITELIST"
    assert "authorization_reference" not in gateway.sessions[path]
    assert gateway.results() == []


def test_some_evses_refuse_and_some_are_never_heard_of_again(station: ChargePoints, gateway: Gateway) -> None:
    assert station.start("SILENT-1")["data"]["result"] == "ACCEPTED"
    assert station.start("REFUSE-1")["data"]["result"] == "ACCEPTED"
    until(gateway.results)
    assert gateway.results() == [("/result/REFUSE-1", "REJECTED")]
    assert station.sessions("SILENT-1") == station.sessions("REFUSE-1") == []


def test_what_cannot_be_done_is_said_in_the_envelope(station: ChargePoints) -> None:
    assert station.stop("nobody")["data"]["result"] == "UNKNOWN_SESSION"
    assert station.command("UNLOCK_CONNECTOR", {})["data"]["result"] == "NOT_SUPPORTED"
    for name, value in {
        "token": {"uid": "X"},
        "location_id": None,
        "response_url": "ftp://x/",
        "evse_uid": "\n",
    }.items():
        answer = station.start("E9", **{name: value})
        assert answer["status_code"] == 2001
        assert "data" not in answer
    assert station.http.post(f"{COMMANDS}/START_SESSION", content=b"{").status_code == 400
    assert station.http.post(f"{COMMANDS}/START_SESSION", content=b" " * 70_000).status_code == 413
    assert station.http.post("/admin/sessions", json={}).status_code == 400
    assert station.sessions("E9") == []


@pytest.mark.parametrize(
    ("header", "http"), [("", 401), ("Token b3Vycw==", 401), ("Bearer theirs", 401), ("Token theirs", 200)]
)
def test_only_the_commands_token_commands(station: ChargePoints, header: str, http: int) -> None:
    order = {"response_url": station.gateway, "session_id": "nobody"}
    answer = station.http.post(f"{COMMANDS}/STOP_SESSION", json=order, headers={"Authorization": header})
    assert (answer.status_code, "data" in answer.json()) == (http, http == 200)
    assert station.http.get("/healthz").json() == {"status": "ok"}


def test_a_gateway_that_forgot_a_session_gets_all_of_it_again(station: ChargePoints, gateway: Gateway) -> None:
    station.start("E5")
    path = RECEIVER + station.sessions("E5")[0]["id"]
    until(lambda: gateway.sessions.get(path, {}).get("charging_periods"))
    del gateway.sessions[path]
    until(lambda: len(gateway.sessions.get(path, {}).get("charging_periods", [])) > 3)
    station.stop(station.sessions("E5")[0]["id"])
    until(lambda: gateway.sessions[path]["status"] == "COMPLETED")
    assert_adds_up(gateway.sessions[path])


def test_a_full_car_idles_and_leaves_and_nothing_is_lost_on_the_way(tmp_path: Path) -> None:
    port = free_port()
    with running(port, tmp_path / "log", "--speed", "900", "--battery-kwh", "1", "--idle-minutes", "10") as station:
        station.start("E1")
        until(lambda: len(station.events("gateway away")) > 1)
        with serving(port) as gateway:
            gateway.refusals += [(503, 3000), (200, 1000), (200, 3000), (429, 2000)]
            until(gateway.ended)
            (session,) = gateway.ended()
            heard = [heard.method for heard in gateway.heard]
            revisions = station.sessions("E1")[0]["revisions"]
    assert heard == ["POST"] * 2 + ["PUT"] * 3 + ["PATCH"] * (revisions - 1)
    assert_adds_up(session)
    kinds = [[part["type"] for part in period["dimensions"]] for period in session["charging_periods"]]
    assert kinds == sorted(kinds)  # charging first, then parking
    parked = [period["dimensions"][0] for period in session["charging_periods"] if len(period["dimensions"]) == 1]
    assert round(sum(part["volume"] for part in parked) * 3600) == 600


def test_a_refusal_is_logged_and_made_up_for_by_the_next_push(tmp_path: Path) -> None:
    with serving() as gateway, running(gateway.server_port, tmp_path / "log", "--speed", "60") as station:
        gateway.refusals += [(404, 2000), (200, 1000), (200, 2001), (403, 2000)]
        station.start("E1")
        until(lambda: gateway.pushes().count("PATCH") > 2)
        station.stop(station.sessions("E1")[0]["id"])
        until(gateway.ended)
        said = [(line["http"], line["status_code"]) for line in station.events("gateway refused")]
    assert said == [(404, 2000), (200, 2001), (403, 2000)]
    assert gateway.pushes()[:5] == ["PUT", "PATCH", "PUT", "PUT", "PATCH"]
    assert_adds_up(gateway.ended()[0])


def test_a_taken_port_is_one_clear_line(station: ChargePoints) -> None:
    address = f"127.0.0.1:{station.http.base_url.port}"
    tokens = ("--token", "a", "--commands-token", "b")
    argv = [sys.executable, "-m", "simulators.charge_points", *tokens, "--bind", address]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"charge points: cannot listen on 127.0.0.1 port {station.http.base_url.port}: Address already in use"
    ]


def test_it_ends_at_once_while_cars_charge_and_nobody_listens(tmp_path: Path) -> None:
    station = ChargePoints(free_port(), tmp_path / "log")
    station.start("E1")
    until(lambda: station.events("gateway away"))
    assert station.end(signal.SIGINT) == 0
    assert [station.events(name) != [] for name in ("stopped", "session started")] == [True, True]
    assert not {"ours", "theirs", "b3Vycw=="} & set((tmp_path / "log").read_text().replace('"', " ").split())
