"""`tallywatt price --jsonl`: one question a line, one answer a line, and nothing ends the stream."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import pricing
from domain.tariffs import Desk
from tests.api.questions import ASKED, LINE, ROOT, SESSION, TARIFF, peak_mb, run, write

CASES = sorted((ROOT / "tests/tariff_cases").glob("*/case.json"))


def answers(*lines: bytes) -> tuple[bool, list[Any]]:
    out = io.BytesIO()
    every = pricing.stream(io.BytesIO(b"\n".join(lines)), out)
    return every, [json.loads(line) for line in out.getvalue().splitlines()]


def test_every_case_comes_out_of_the_stream_as_it_must() -> None:
    def asked() -> Iterator[tuple[bytes, list[str]]]:
        for path in CASES:
            its = json.loads(path.read_text())
            if "total" in its["expected"]:
                question = {"tariffs": its["tariffs"], "time_zone": its["time_zone"], "session": its["record"]}
                yield json.dumps({**question, "id": path.parent.name}).encode(), its["expected"]["total"]

    lines, expected = zip(*asked(), strict=True)
    _, told = answers(*lines)
    assert [[*answer["total_cost"].values()] for answer in told] == list(expected)
    assert len(told) >= 100


def test_an_answer_has_the_members_that_were_agreed_in_their_form() -> None:
    every, (answer,) = answers(json.dumps({**ASKED, "id": {"n": 1}}).encode())
    assert every
    assert list(answer) == [
        "id",
        "total_cost",
        "taxes",
        "lines",
        "limit_applied",
        "findings",
        "total_energy_cost",
        "total_time_cost",
        "total_parking_cost",
        "total_reservation_cost",
        "total_fixed_cost",
    ]
    assert answer["id"] == {"n": 1}
    assert answer["total_cost"] == answer["total_energy_cost"] == {"excl_vat": "1.51", "incl_vat": "1.83"}
    assert answer["taxes"] == [{"name": "VAT", "percentage": 21, "base": "1.51", "amount": "0.32"}]
    assert (answer["limit_applied"], answer["total_time_cost"]) == (None, None)
    assert [finding["code"] for finding in answer["findings"]] == ["tariff_id_missing"]
    second = answer["lines"][1]
    edition = second["tariff"].pop("edition")
    assert edition.startswith("sha256:")
    assert second == {
        "type": "ENERGY",
        "from": "2026-03-10T16:00:00Z",
        "to": "2026-03-10T17:00:00Z",
        "periods": [1, 1],
        "tariff": {"country_code": "NL", "party_id": "TLY", "id": "TOWN"},
        "element": 1,
        "component": 0,
        "why": {
            "local": "2026-03-10T17:00:00+01:00",
            "weekday": "TUESDAY",
            "energy_before_kwh": "3.1",
            "elapsed_s": 3600,
            "tests": [],
            "passed_over": [
                {"element": 0, "restriction": "end_time", "limit": "17:00", "actual": "17:00", "holds": False}
            ],
        },
        "unit": "kWh",
        "measured": "2.6",
        "billed": "2.65",
        "evidence": "declared",
        "step": {"size": 250, "unit": "Wh", "session_measured": "5.7", "session_billed": "5.75", "surplus": "0.05"},
        "price": "0.29",
        "price_unit": "EUR/kWh",
        "tax": {"included": "NO", "percentage": 21},
        "exact": {"excl_vat": "0.7685", "incl_vat": "0.929885"},
        "excl_vat": "0.77",
        "incl_vat": "0.93",
    }


def but(path: str, value: object) -> bytes:
    changed = json.loads(LINE)
    *way, last = path.split(".")
    place = changed
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return json.dumps(changed).encode()


VOLUME = "session.charging_periods.0.dimensions.0.volume"
BAD = [
    (b"{", "bad_json"),
    (b"\xff\xfe", "bad_json"),
    (b'"\xe9"', "bad_json"),
    (b"[" * 100_000, "bad_json"),
    (b'{"id": "\\ud800"}', "bad_json"),
    (LINE.replace(b"2.6", b"NaN"), "bad_number"),
    (LINE.replace(b"2.6", b"-Infinity"), "bad_number"),
    (LINE.replace(b"2.6", b"1e400"), "bad_number"),
    (LINE.replace(b"2.6", b"1e-99999"), "bad_number"),
    (LINE.replace(b"2.6", b"1e9999999999999999999"), "bad_number"),
    (LINE.replace(b"2.6", b"9" * 5000), "bad_number"),
    (LINE.replace(b"2.6", b"0." + b"3" * 100_000), "bad_number"),
    (b"[]", "not_an_object"),
    (b"1", "not_an_object"),
    (b"null", "not_an_object"),
    (b"{}", "missing_field"),
    (but("tariffs", []), "no_tariff"),
    (but("tariffs", [None]), "bad_value"),
    (but("tariffs.0.currency", None), "missing_field"),
    (but("tariffs.0.currency", "XXX"), "bad_value"),
    (but("tariffs.0.elements", []), "missing_field"),
    (but("tariffs.0.elements.0.price_components.0.type", ["ENERGY"]), "bad_value"),
    (but("session", []), "bad_value"),
    (but("session.charging_periods", {}), "bad_value"),
    (but("session.charging_periods.0.dimensions", []), "missing_field"),
    (but("session.charging_periods.0.tariff_id", "VILLAGE"), "unknown_tariff"),
    (but("session.end_date_time", "tomorrow"), "bad_value"),
    (but(VOLUME, "1e5000"), "bad_number"),
    (but(VOLUME, [1]), "bad_number"),
    (but("time_zone", "Europe/Nowhere"), "unknown_time_zone"),
    (but("time_zone", "../../etc/passwd"), "unknown_time_zone"),
    (but("time_zone", "Europe"), "unknown_time_zone"),
    (but("time_zone", "localtime"), "unknown_time_zone"),
    (but("time_zone", 1), "bad_value"),
    (but("currency_decimals", -1), "bad_value"),
    (but("currency_decimals", 10**9), "bad_value"),
    (b'{"id": 7, "padding": "' + b" " * 4 * 2**20 + b'"}', "too_large"),
]


@pytest.mark.parametrize(("line", "code"), BAD, ids=[f"{code}-{place}" for place, (_, code) in enumerate(BAD)])
def test_a_bad_line_is_answered_with_a_code_and_the_stream_goes_on(line: bytes, code: str) -> None:
    every, told = answers(LINE, line, b"", b"   ", LINE)
    assert not every
    assert len(told) == 3
    assert told[1]["error"]["code"] == code
    assert told[1]["error"]["message"]
    assert told[0] == told[2]
    assert "total_cost" in told[0]


def test_a_fault_of_ours_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def falls(_: Desk, line: bytes) -> None:
        raise ZeroDivisionError(line)

    monkeypatch.setattr(Desk, "line", falls)
    assert answers(LINE, LINE)[1] == [pricing._INTERNAL] * 2


def test_each_answer_is_there_before_the_next_question() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "price", "--jsonl"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(3):
        process.stdin.write(json.dumps({**ASKED, "id": number}).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == number
    process.stdin.close()
    process.stdout.close()
    assert process.wait() == 0


def test_decimals_may_be_asked_for_and_are_rounded_once() -> None:
    _, told = answers(*(but("currency_decimals", digits) for digits in (0, 2, 4)))
    assert [answer["total_cost"]["incl_vat"] for answer in told] == ["2", "1.83", "1.8301"]


def test_a_record_of_a_hundred_thousand_periods_is_priced(tmp_path: Path) -> None:
    period = SESSION["charging_periods"][0]
    long = {**SESSION, "charging_periods": [period] * 100_000}
    code, told, _ = run(
        "price", "--tariff", write(tmp_path / "tariff.json", TARIFF), "--cdr", write(tmp_path / "cdr.json", long)
    )
    assert (code, told["billed"]["kwh"]) == (0, "310000")


@pytest.mark.soak
def test_a_hundred_thousand_records_need_little_memory(tmp_path: Path) -> None:
    lines, out = tmp_path / "lines.jsonl", tmp_path / "answers.jsonl"
    with lines.open("wb") as file:
        file.writelines(LINE + b"\n" for _ in range(100_000))
    with lines.open("rb") as given, out.open("wb") as told:
        command = [sys.executable, "-m", "api.cli", "price", "--jsonl"]
        assert 0 < peak_mb(subprocess.Popen(command, stdin=given, stdout=told, cwd=ROOT)) < 120
    with out.open("rb") as told:
        assert sum(1 for _ in told) == 100_000
