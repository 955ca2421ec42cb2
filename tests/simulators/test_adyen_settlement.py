"""A day's end: a file of what moved, announced, handed out to those who may, with defects to order."""

from __future__ import annotations

import csv
import io
from collections import Counter
from decimal import Decimal

import httpx2
import pytest

from tests.simulators.stand_in import ACCOUNT, API_KEY, Json, StandIn, asked, until

DEFECTS = (
    "missing_there",
    "missing_here",
    "amount_differs",
    "does_not_add_up",
    "line_twice",
    "unknown_type",
    "no_number",
)


def day_end(adyen: StandIn, *defects: str) -> Json:
    answer = adyen.post("/admin/day-end", {"defects": list(defects)})
    assert answer.status_code == 201
    body: Json = answer.json()
    return body


def rows(adyen: StandIn, file: str) -> list[dict[str, str]]:
    answer = adyen.get(f"/reports/download/MerchantAccount/{ACCOUNT}/{file}")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def amount(row: dict[str, str], kind: str) -> Decimal:
    """Gross (GC) or Net (NC) of a row: what comes in is positive."""
    unit = "GC" if kind == "Gross" else "NC"
    credit, debit = row[f"{kind} Credit ({unit})"], row[f"{kind} Debit ({unit})"]
    return Decimal(credit or 0) - Decimal(debit or 0)


def fees(row: dict[str, str]) -> Decimal:
    names = ("Commission (NC)", "Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)")
    return sum((Decimal(row[name] or 0) for name in names), Decimal(0))


def test_everything_that_moved_is_told_once_and_adds_up(adyen: StandIn, reference: str) -> None:
    first = adyen.pay(reference, 34_999)["pspReference"]
    adyen.post("/v72/payments", asked(f"{reference}-y", 1500, "JPY") | {"paymentMethod": {"type": "applepay"}})
    adyen.modify(first, "refunds", 500, reference="r1")
    adyen.post("/admin/disputes", {"payment": first, "event": "CHARGEBACK", "amount": 30_000})
    told = day_end(adyen)
    assert told["file"] == "settlement_detail_report_batch_1.csv"
    (item,) = adyen.receiver.wait("", 1)
    assert (item["eventCode"], item["pspReference"]) == ("REPORT_AVAILABLE", told["file"])
    assert item["reason"].endswith(f"/reports/download/MerchantAccount/{ACCOUNT}/{told['file']}")

    *moved, euros, yen = rows(adyen, told["file"])
    shown = [(row["Type"], row["Gross Currency"], amount(row, "Gross"), amount(row, "Net")) for row in moved]
    assert shown == [
        ("Settled", "EUR", Decimal("349.99"), Decimal("348.86")),
        ("Settled", "JPY", Decimal(1500), Decimal(1486)),
        ("Refunded", "EUR", Decimal("-5.00"), Decimal("-5.10")),
        ("Chargeback", "EUR", Decimal("-300.00"), Decimal("-307.50")),
    ]
    assert all(amount(row, "Net") == amount(row, "Gross") - fees(row) for row in moved)
    assert {row["Psp Reference"] for row in moved if row["Gross Currency"] == "EUR"} == {first}
    assert moved[2]["Modification Merchant Reference"] == "r1"
    assert [(row["Type"], row["Net Currency"], amount(row, "Net")) for row in (euros, yen)] == [
        ("MerchantPayout", "EUR", Decimal("-36.26")),
        ("MerchantPayout", "JPY", Decimal(-1486)),
    ]
    assert [row["Type"] for row in rows(adyen, day_end(adyen)["file"])] == []


def test_money_that_went_back_after_it_was_told_is_told_back(adyen: StandIn, reference: str) -> None:
    adyen.order(books=["refund_reversed:60"])
    psp = adyen.pay(reference)["pspReference"]
    adyen.modify(psp, "refunds", 1000)
    day_end(adyen)
    adyen.later(61)
    until(lambda: adyen.left()["EUR"] == (1000, 0, 0))
    (row, _) = rows(adyen, day_end(adyen)["file"])
    assert (row["Type"], amount(row, "Gross")) == ("RefundedReversed", Decimal("10.00"))


def test_defects_are_planted_in_lines_of_their_own_and_named(adyen: StandIn, reference: str) -> None:
    for number in range(10):
        adyen.pay(f"{reference}-{number}", 1000 + number)
    adyen.order(seed=1)
    told = day_end(adyen, *DEFECTS)
    planted = {row["defect"]: row for row in told["defects"]}
    assert set(planted) == set(DEFECTS)
    *shown, payout = rows(adyen, told["file"])
    assert payout["Type"] == "MerchantPayout"
    references = Counter(row["Modification Reference"] for row in shown)
    true = {one["id"]: one for one in adyen.books()["modifications"]}
    assert planted["missing_there"]["Modification Reference"] not in references
    assert planted["missing_here"]["Modification Reference"] not in true
    assert references[planted["line_twice"]["Modification Reference"]] == 2
    assert planted["unknown_type"]["Type"] == "LunarAdjustment"
    assert planted["no_number"]["Gross Credit (GC)"] == "1,000.00"
    differs, broken = planted["amount_differs"], planted["does_not_add_up"]
    assert amount(differs, "Gross") * 100 == true[differs["Modification Reference"]]["amount_minor"] + 100
    assert amount(differs, "Net") == amount(differs, "Gross") - fees(differs)
    assert amount(broken, "Net") == amount(broken, "Gross") - fees(broken) + 1
    odd = {row["Modification Reference"] for row in planted.values()}
    for row in (row for row in shown if row["Modification Reference"] not in odd):
        assert amount(row, "Net") == amount(row, "Gross") - fees(row)
    assert len(shown) == 11
    assert adyen.left()["EUR"] == (10_045, 0, 0)


@pytest.mark.parametrize("defects", [["typo"], ["line_twice"] * 3])
def test_what_cannot_be_planted_is_refused_and_the_day_goes_on(
    adyen: StandIn, reference: str, defects: list[str]
) -> None:
    adyen.pay(reference)
    assert adyen.post("/admin/day-end", {"defects": defects}).status_code == 422
    assert len(rows(adyen, day_end(adyen)["file"])) == 2


def test_a_report_is_for_those_who_know_its_key(adyen: StandIn, reference: str) -> None:
    adyen.pay(reference)
    url = f"{adyen.url}/reports/download/MerchantAccount/{ACCOUNT}/{day_end(adyen)['file']}"
    assert httpx2.get(url, auth=("report@Company.Tallywatt", API_KEY), trust_env=False).status_code == 200
    for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": "Basic ?"}):
        assert httpx2.get(url, headers=headers, trust_env=False).status_code == 401
    assert adyen.get(f"/reports/download/MerchantAccount/Other/{day_end(adyen)['file']}").status_code == 404
    assert (
        adyen.get(f"/reports/download/MerchantAccount/{ACCOUNT}/settlement_detail_report_batch_9.csv").status_code
        == 404
    )
