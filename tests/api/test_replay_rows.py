from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.replay.recorded import COLUMNS, Quirk, Recorded
from api.replay.recording_file import BadFile, RefusedRow, rows_of
from api.replay.report import MOST_REASONS, Counted, Tally
from api.replay.story import instant, told
from domain.energy import Energy

FILE = Path(__file__).with_name("test_replay.csv")
REFUSED = {
    9: "charge_log_id is that of an earlier row",
    11: "energy_wh is below zero",
    12: "energy_wh is not a whole number",
    14: "debit is not a number",
    15: "debit is below zero",
    16: "energy_fee is finer than a cent",
    17: "ended_at_local is before started_at_local",
    18: "ended_at_local contradicts duration_seconds",
    22: "currency is not CHF",
    23: "charge_log_id is missing",
    24: "station_id is missing",
    25: "the row has more or fewer cells than the header",
    26: "started_at_local was shown by no clock there",
    30: "started_at_local is not a date and time",
    31: "started_at_local is not a date and time",
    32: "debit is not a number",
    33: "energy_fee is below zero",
    36: "plug is not a name of 1 to 15 characters",
}
GOOD = {
    "charge_log_id": "1",
    "user_id": "5",
    "started_at_local": "2019-05-06T12:00:00",
    "ended_at_local": "2019-05-06T13:00:00",
    "duration_seconds": "3600",
    "energy_wh": "10000",
    "debit": "4.5",
    "energy_fee": "4",
    "parking_fee": "0.5",
    "penalty": "",
    "energy_rate_per_kwh": "0.4",
    "currency": "CHF",
    "started_by": "RFID",
    "station_id": "71",
    "station_name": "Park",
    "town": "Seldorf",
    "plug": "Left",
    "plug_type": "Mode3_Type2_Plug",
}


def rows(path: Path = FILE, limit: int | None = None) -> list[Recorded | RefusedRow]:
    return list(rows_of(path, limit))


def session(**cells: str) -> Recorded | RefusedRow:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(GOOD), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerow(GOOD | cells)
    return one(out.getvalue().encode())


def one(content: bytes) -> Recorded | RefusedRow:
    found = list(rows_of(written(content), None))
    assert len(found) == 1
    return found[0]


_folder: list[Path] = []


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    _folder[:] = [tmp_path_factory.mktemp("recordings")]


def written(content: bytes) -> Path:
    path = _folder[0] / "sessions.csv"
    path.write_bytes(content)
    return path


def good(**cells: str) -> Recorded:
    row = session(**cells)
    assert isinstance(row, Recorded)
    return row


def test_every_row_is_a_session_or_a_refusal_with_its_reason() -> None:
    found = rows()
    assert {row.line: row.reason for row in found if isinstance(row, RefusedRow)} == REFUSED
    assert [row.line for row in found] == list(range(2, 43))


def test_odd_rows_are_carried_with_what_is_odd_about_them() -> None:
    found = {row.line: row.quirks for row in rows() if isinstance(row, Recorded) and row.quirks}
    assert found == {
        3: (Quirk.NO_AMOUNT, Quirk.NO_USER, Quirk.NO_ENERGY),
        6: (Quirk.NO_ENERGY,),
        7: (Quirk.NO_AMOUNT, Quirk.NO_USER),
        10: (Quirk.UNKNOWN_PLUG,),
        13: (Quirk.NO_USER,),
        20: (Quirk.NO_ENERGY, Quirk.PART_BELOW_ZERO),
        21: (Quirk.PART_BELOW_ZERO,),
        35: (Quirk.NO_AMOUNT, Quirk.NO_USER, Quirk.NO_ENERGY),
    }


def test_the_hour_that_clocks_show_twice_is_told_apart_by_its_end() -> None:
    starts = {row.line: instant(row.started_at) for row in rows() if isinstance(row, Recorded)}
    assert starts[41] == "2019-10-27T00:40:00Z"
    assert starts[42] == "2019-10-27T01:40:00Z"


def test_a_limit_counts_rows_not_sessions() -> None:
    assert [row.line for row in rows(limit=10)] == list(range(2, 12))
    assert rows(limit=0) == []


def test_further_columns_any_order_a_byte_order_mark_blank_lines_and_windows_line_ends_are_read() -> None:
    names = [*reversed(COLUMNS), "remark"]
    cells = [*(GOOD[name] for name in reversed(COLUMNS)), '"two\r\nlines"']
    content = f"\ufeff{','.join(names)}\r\n\r\n{','.join(cells)}\r\n\r\n"
    row = one(content.encode())
    assert isinstance(row, Recorded)
    assert row == replace(good(), line=3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column charge_log_id, user_id"),
        (b"charge_log_id,debit\n1,2\n", "no column user_id, started_at_local"),
        (f"{','.join(COLUMNS)},debit\n".encode(), "more than one column debit"),
        (f"{','.join(COLUMNS)}\n{'1' * 70_000}\n".encode(), "a line of more than"),
        (f"{','.join(COLUMNS)}\n".encode() + b"Z\xfcrich\n", "is not UTF-8"),
        (",".join(COLUMNS).encode("utf-16"), "is not UTF-8"),
        (f'{",".join(COLUMNS)}\n"{("1" * 1000 + chr(10)) * 200}'.encode(), "is not CSV"),
    ],
    ids=["empty", "columns missing", "column twice", "endless line", "latin-1", "utf-16", "endless quote"],
)
def test_a_file_that_is_no_recording_says_why(content: bytes, words: str) -> None:
    with pytest.raises(BadFile, match=words):
        rows(written(content))


def test_what_is_not_a_file_is_no_recording(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.csv"):
        with pytest.raises(BadFile, match="is not a file"):
            rows(path)


@given(st.dictionaries(st.sampled_from(COLUMNS), st.text(max_size=30)))
def test_no_cell_makes_a_row_disappear(cells: dict[str, str]) -> None:
    row = session(**{name: text.replace("\ud800", "") for name, text in cells.items()})
    assert row.line == 2


@given(seconds=st.integers(0, 200_000), wh=st.integers(0, 100_000))
def test_the_periods_of_a_session_add_up_to_it(seconds: int, wh: int) -> None:
    row = replace(good(), seconds=seconds, energy=Energy(wh))
    messages = told(row)
    cdr = messages[-1].body
    periods = [period for message in messages[:-1] for period in _listed(message.body["charging_periods"])]
    assert periods == cdr["charging_periods"]
    assert sum(_volume(period, "ENERGY") for period in periods) == cdr["total_energy"] == messages[-2].body["kwh"]
    assert sum(_volume(period, "TIME") for period in periods) == cdr["total_time"]
    for times in (
        [str(period["start_date_time"]) for period in periods],
        [str(message.body["last_updated"]) for message in messages[:-1]],
    ):
        assert times == sorted(set(times))


@given(cents=st.integers(0, 10_000_000))
def test_four_decimals_of_the_net_round_to_the_cent_that_the_exact_net_rounds_to(cents: int) -> None:
    row = good(debit=f"{Decimal(cents).scaleb(-2)}")
    cost = told(row)[-1].body["total_cost"]
    assert isinstance(cost, dict)
    assert cost["incl_vat"] == Decimal(cents).scaleb(-2)
    exact_cents = (cents * 200 + 108) // 216
    assert int((cost["excl_vat"] * 100 + Decimal("0.5")) // 1) == exact_cents


def test_a_session_without_an_amount_ends_invalid_and_has_no_bill() -> None:
    messages = told(good(debit="", user_id=""))
    assert [message.method for message in messages] == ["PUT", "PATCH", "PATCH"]
    assert messages[-1].body["status"] == "INVALID"
    assert messages[0].body["cdr_token"] == {
        "country_code": "CH",
        "party_id": "AIL",
        "uid": "ANONYMOUS",
        "type": "RFID",
        "contract_id": "ANONYMOUS",
    }


def test_parts_of_the_bill_are_told_where_they_were_charged() -> None:
    cdr = told(good(penalty="1", debit="5.5", energy_fee="4"))[-1].body
    parts = {name: cost["incl_vat"] for name, cost in cdr.items() if name.endswith("_cost") and isinstance(cost, dict)}
    assert parts == {
        "total_cost": Decimal("5.50"),
        "total_energy_cost": Decimal("4.00"),
        "total_time_cost": Decimal("0.50"),
        "total_parking_cost": Decimal("1.00"),
    }


def test_the_first_lines_of_a_reason_are_the_first_of_the_file_whatever_ends_first() -> None:
    tally = Tally(7)
    for line in (9, 3, 8, 7, 2, 5, 4):
        tally.refuse(line, "a reason")
    assert tally.report(retries=0, milliseconds=0).refused == {"a reason": Counted(7, (2, 3, 4, 5, 7))}


def test_a_gateway_that_words_every_refusal_differently_does_not_fill_the_report() -> None:
    tally = Tally(1000)
    for line in range(1000):
        tally.refuse(line, f"reason {line}")
    refused = tally.report(retries=0, milliseconds=0).refused
    assert len(refused) == MOST_REASONS + 1
    assert sum(counted.count for counted in refused.values()) == 1000


def _listed(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def _volume(period: dict[str, object], kind: str) -> Decimal:
    volumes = [item["volume"] for item in _listed(period["dimensions"]) if item["type"] == kind]
    assert len(volumes) == 1
    assert isinstance(volumes[0], Decimal)
    return volumes[0]
