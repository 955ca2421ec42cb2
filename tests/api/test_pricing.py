"""`tallywatt price` and `tallywatt lint` on files: the whole statement, what is wrong, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.questions import SESSION, TARIFF, run, write


def test_one_record_is_answered_with_the_whole_statement(tmp_path: Path) -> None:
    tariff, cdr = write(tmp_path / "tariff.json", TARIFF), write(tmp_path / "cdr.json", SESSION)
    code, told, _ = run("price", "--tariff", tariff, "--cdr", cdr, "--time-zone", "Europe/Amsterdam")
    assert code == 0
    assert told["total_cost"] == {"excl_vat": "1.51", "incl_vat": "1.83"}
    assert told["billed"] == {"kwh": "5.75", "charging_minutes": "0", "idle_minutes": "0", "reserved_minutes": "0"}
    assert (told["currency"], told["time_zone"]) == ("EUR", "Europe/Amsterdam")
    assert told["policy"] == {
        "component": "EXACT",
        "mode": "HALF_UP",
        "digits": "ISO4217",
        "point": "DOCUMENT",
        "split": "LARGEST_REMAINDER",
        "time_unit": "SECOND",
    }
    shown = [line["incl_vat"] for line in told["lines"]]
    assert (shown, told["adjustments"]) == (["0.90", "0.93"], [])


def test_an_envelope_with_its_own_tariffs_is_read_from_the_standard_input() -> None:
    cdr = {**SESSION, "tariffs": [{**TARIFF, "tax_included": "NO"}], "cdr_location": {"country": "NLD"}}
    stated = {"total_cost": {"before_taxes": 1.51, "taxes": [{"name": "VAT", "amount": 0.31}]}, "total_energy": 5.8}
    envelope = {"status_code": 1000, "timestamp": "2026-03-10T17:00:00Z", "data": {**cdr, **stated}}
    code, told, _ = run("price", "--cdr", "-", given=json.dumps(envelope).encode())
    assert (code, told["time_zone"]) == (0, "Europe/Amsterdam")
    assert told["total_cost"] == {
        "excl_vat": "1.51",
        "incl_vat": "1.83",
        "before_taxes": "1.51",
        "taxes": [{"name": "VAT", "percentage": 21, "amount": "0.32"}],
    }
    found = {finding["code"]: finding.get("detail") for finding in told["findings"]}
    assert found.keys() >= {"time_zone_guessed", "total_cost_mismatch", "energy_total_mismatch"}
    assert found["total_cost_mismatch"] == {"stated": "1.82", "difference": "-0.01", "cause": "vat"}


def test_an_open_session_is_priced_at_an_instant(tmp_path: Path) -> None:
    still_open = {**SESSION, "end_date_time": None, "last_updated": "2026-03-10T16:30:00Z"}
    cdr, tariff = write(tmp_path / "session.json", still_open), write(tmp_path / "tariff.json", TARIFF)
    for words, end in (((), "16:30"), (("--at", "2026-03-10T16:45:00Z"), "16:45")):
        code, told, _ = run("price", "--tariff", tariff, "--cdr", cdr, "--time-zone", "UTC", *words)
        assert (code, told["lines"][-1]["to"]) == (0, f"2026-03-10T{end}:00Z")
        assert "session_open" in [finding["code"] for finding in told["findings"]]


@pytest.mark.parametrize(
    ("changes", "words", "found"),
    [
        ({"charging_periods": None}, (), "schema"),
        ({"end_date_time": "2026-03-10T14:00:00Z"}, (), "time_order"),
        ({"currency": "SEK"}, (), "currency_mismatch"),
        ({}, ("--time-zone", "Mars/Base"), "unknown_time_zone"),
        ({}, ("--now", "2026-03-10T16:00:00Z"), "future_session"),
    ],
)
def test_an_error_is_a_finding_and_exit_code_one(
    tmp_path: Path, changes: dict[str, object], words: tuple[str, ...], found: str
) -> None:
    tariff, cdr = write(tmp_path / "tariff.json", TARIFF), write(tmp_path / "cdr.json", {**SESSION, **changes})
    code, told, _ = run("price", "--tariff", tariff, "--cdr", cdr, *words)
    assert code == 1
    errors = {finding["code"] for finding in told["findings"] if finding["level"] == "error"}
    assert errors == {found}
    assert (told["total_cost"] is None) is (found in {"schema", "unknown_time_zone"})


@pytest.mark.parametrize(
    "words",
    [
        ("price",),
        ("price", "--cdr", "nowhere.json"),
        ("price", "--cdr", "broken.json"),
        ("price", "--cdr", "list.json"),
        ("price", "--cdr", "cdr.json", "--at", "noon"),
        ("price", "--jsonl", "--cdr", "cdr.json"),
        ("lint", "nowhere.json"),
        ("lint", "broken.json"),
        ("lint", "cdr.json", "--time-zone", "Mars/Base"),
    ],
)
def test_what_cannot_be_read_is_exit_code_two(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "broken.json").write_bytes(b"{")
    write(tmp_path / "list.json", [SESSION, SESSION])
    write(tmp_path / "cdr.json", SESSION)
    code, told, complaint = run(*words, at=tmp_path)
    assert (code, told) == (2, None)
    assert complaint.startswith("tallywatt: ")
    assert len(complaint.splitlines()) == 1


def test_lint_says_what_is_wrong_and_how_bad_it_is(tmp_path: Path) -> None:
    assert run("lint", write(tmp_path / "sound.json", TARIFF)) == (0, {"findings": [], "errors": 0, "warnings": 0}, "")
    bad = write(tmp_path / "bad.json", [TARIFF, {**TARIFF, "currency": "EUX"}])
    code, told, _ = run("lint", bad)
    assert (code, told["errors"], told["findings"][0]["path"]) == (1, 1, ["1", "currency"])
