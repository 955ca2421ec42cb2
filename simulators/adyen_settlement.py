"""The end of a day: what moved since the last one, as Adyen's settlement detail report, and defects on demand.

Columns, their order and their signs are those of Adyen's "Settlement details report": major units, gross and net, fees
as what lies between them. A defect is planted in the file only; the books stay right.
"""

from __future__ import annotations

import base64
import csv
import hmac
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from simulators.adyen_api import refused
from simulators.adyen_bank import new_reference
from simulators.adyen_books import Books, Clock
from simulators.adyen_cards import major
from simulators.adyen_courier import Courier
from simulators.adyen_records import Modification, Movement, Payment, Report
from simulators.adyen_requests import ApiError
from simulators.adyen_webhooks import Notice

COLUMNS = (
    "Company Account", "Merchant Account", "Psp Reference", "Merchant Reference", "Payment Method", "Creation Date",
    "TimeZone", "Type", "Modification Reference", "Gross Currency", "Gross Debit (GC)", "Gross Credit (GC)",
    "Exchange Rate", "Net Currency", "Net Debit (NC)", "Net Credit (NC)", "Commission (NC)", "Markup (NC)",
    "Scheme Fees (NC)", "Interchange (NC)", "Payment Method Variant", "Modification Merchant Reference",
    "Batch Number", *(f"Reserved{number}" for number in range(4, 11)),
)  # fmt: skip
_CREDITED = {"Settled", "RefundedReversed", "ChargebackReversed"}
_CHARGEBACK_FEE_MINOR = 750
_FEE_MINOR = 10
"""Of every payment that is settled or refunded; chargebacks cost more, what is undone costs nothing."""

Row = dict[str, str]


class UnknownDefect(ValueError):
    """None of ours."""


@dataclass(frozen=True)
class Fees:
    """What a movement costs, in minor units."""

    commission: int = 0
    markup: int = 0
    scheme: int = 0
    interchange: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.commission + self.markup + self.scheme + self.interchange


class Settlement:
    """Writes the reports and hands them out."""

    def __init__(self, books: Books, courier: Courier, clock: Clock, account: str, key: str) -> None:
        self._books, self._courier, self._clock, self._account, self._key = books, courier, clock, account, key

    def routes(self) -> list[Route]:
        """Where a report is fetched, with the report user's password or its API key."""
        return [Route("/reports/download/MerchantAccount/{account}/{file}", self._download, methods=["GET"])]

    def end_day(self, defects: list[str], server: str) -> tuple[Report, list[Row]]:
        """Write what moved, and tell it. The report, and the rows with a defect. Raises UnknownDefect."""
        for defect in defects:
            if defect not in DEFECTS:
                raise UnknownDefect(f"no such defect: {defect}")
        batch = len(self._books.all(Report)) + 1
        rows, net = [], dict[str, int]()
        for movement in self._books.all(Movement):
            if not movement.batch:
                movement.batch = batch
                self._books.put(movement)
                row, amount_minor = self._row(movement)
                rows.append(row)
                net[movement.currency] = net.get(movement.currency, 0) + amount_minor
        planted = _planted(rows, defects)
        rows += [self._payout(batch, currency, minor) for currency, minor in sorted(net.items())]
        report = Report(f"settlement_detail_report_batch_{batch}.csv", None, batch, _written(rows))
        self._books.put(report)
        where = f"{server}/reports/download/MerchantAccount/{self._account}/{report.id}"
        told = Notice(
            event_code="REPORT_AVAILABLE",
            success=True,
            psp_reference=report.id,
            reference="",
            amount_minor=0,
            currency="EUR",
            reason=where,
        )
        self._courier.tell(told)
        return report, planted

    def _row(self, movement: Movement) -> tuple[Row, int]:
        """One line, and by how much it changes the payout."""
        payment = self._books.get(Payment, movement.payment_id)
        assert payment is not None
        made = self._books.get(Modification, movement.modification_id)
        fees = _fees(movement)
        credited = movement.kind in _CREDITED
        net_minor = movement.amount_minor - fees.total if credited else -movement.amount_minor - fees.total
        side, other = ("Credit", "Debit") if credited else ("Debit", "Credit")
        net_side = side if (net_minor >= 0) == credited else other
        currency = movement.currency
        row = self._blank(movement.batch, movement.at) | {
            "Psp Reference": payment.id,
            "Merchant Reference": payment.reference,
            "Payment Method": payment.method.partition("_")[0],
            "Type": movement.kind,
            "Modification Reference": movement.modification_id,
            "Gross Currency": currency,
            f"Gross {side} (GC)": major(movement.amount_minor, currency),
            "Exchange Rate": "1",
            "Net Currency": currency,
            f"Net {net_side} (NC)": major(abs(net_minor), currency),
            "Commission (NC)": _fee(fees.commission, currency),
            "Markup (NC)": _fee(fees.markup, currency),
            "Scheme Fees (NC)": _fee(fees.scheme, currency),
            "Interchange (NC)": _fee(fees.interchange, currency),
            "Payment Method Variant": payment.method,
            "Modification Merchant Reference": made.reference if made else "",
        }
        return row, net_minor

    def _payout(self, batch: int, currency: str, minor: int) -> Row:
        """What goes to the merchant's bank, or what the merchant owes."""
        side = "Debit" if minor >= 0 else "Credit"
        kind = "MerchantPayout" if minor >= 0 else "Balancetransfer"
        return self._blank(batch, self._clock()) | {
            "Type": kind,
            "Modification Reference": f"TX{batch:08}XT batch {batch}, {self._account}",
            "Exchange Rate": "1",
            "Net Currency": currency,
            f"Net {side} (NC)": major(abs(minor), currency),
        }

    def _blank(self, batch: int, at: float) -> Row:
        when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        own = {"Company Account": "TallywattCompany", "Merchant Account": self._account, "Creation Date": when}
        return dict.fromkeys(COLUMNS, "") | own | {"TimeZone": "UTC", "Batch Number": str(batch)}

    async def _download(self, request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        password = request.headers.get("x-api-key", "")
        if scheme.lower() == "basic":
            try:
                password = base64.b64decode(given).decode().partition(":")[2]
            except ValueError:
                password = ""
        if not hmac.compare_digest(password.encode(), self._key.encode()):
            return refused(ApiError(401, "000", "HTTP Status Response - Unauthorized", "security"))
        report = self._books.get(Report, request.path_params["file"])
        if report is None or request.path_params["account"] != self._account:
            return refused(ApiError(404, "000", "No such report"))
        return Response(report.csv, media_type="text/csv")


def _fees(movement: Movement) -> Fees:
    """Interchange two in a thousand, scheme one in a thousand, and our own: rounded down, never below nothing."""
    if movement.kind in {"Chargeback", "SecondChargeback"}:
        return Fees(commission=_CHARGEBACK_FEE_MINOR)
    if movement.kind == "Settled":
        amount = movement.amount_minor
        return Fees(markup=_FEE_MINOR, scheme=amount // 1000, interchange=amount * 2 // 1000)
    return Fees(markup=_FEE_MINOR) if movement.kind == "Refunded" else Fees()


def _fee(minor: int, currency: str) -> str:
    return major(minor, currency) if minor else ""


def _written(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _missing(rows: list[Row], place: int) -> Row:
    """Money that never came: the line is not there."""
    return rows.pop(place)


def _unheard(rows: list[Row], place: int) -> Row:
    """Money that nobody has heard of: a line of another payment."""
    names = {"Psp Reference": new_reference(), "Modification Reference": new_reference(), "Merchant Reference": "x"}
    rows.insert(place, rows[place] | names)
    return rows[place]


def _other_amount(rows: list[Row], place: int) -> Row:
    """A whole unit more, gross and net alike."""
    rows[place] = {name: _more(name, value) for name, value in rows[place].items()}
    return rows[place]


def _does_not_add_up(rows: list[Row], place: int) -> Row:
    """A whole unit more, net only."""
    rows[place] = {name: _more(name, value) if name[:3] == "Net" else value for name, value in rows[place].items()}
    return rows[place]


def _twice(rows: list[Row], place: int) -> Row:
    """The same line again."""
    rows.insert(place, dict(rows[place]))
    return rows[place]


def _other_type(rows: list[Row], place: int) -> Row:
    """A type that nobody has heard of."""
    rows[place] = rows[place] | {"Type": "LunarAdjustment"}
    return rows[place]


def _no_number(rows: list[Row], place: int) -> Row:
    """An amount that is none."""
    side = "Gross Credit (GC)" if rows[place]["Gross Credit (GC)"] else "Gross Debit (GC)"
    rows[place] = rows[place] | {side: "1,000.00"}
    return rows[place]


DEFECTS: dict[str, Callable[[list[Row], int], Row]] = {
    "missing_there": _missing,
    "missing_here": _unheard,
    "amount_differs": _other_amount,
    "does_not_add_up": _does_not_add_up,
    "line_twice": _twice,
    "unknown_type": _other_type,
    "no_number": _no_number,
}


def _planted(rows: list[Row], defects: list[str]) -> list[Row]:
    """Each defect in a line of its own, from the last one upwards: what is put in or left out moves no other."""
    if len(defects) > len(rows):
        raise UnknownDefect(f"{len(rows)} lines hold no {len(defects)} defects")
    places = range(len(rows) - 1, -1, -1)
    return [DEFECTS[defect](rows, place) | {"defect": defect} for defect, place in zip(defects, places, strict=False)]


def _more(name: str, value: str) -> str:
    if not value or not name.startswith(("Gross", "Net")) or "Currency" in name:
        return value
    whole, point, rest = value.partition(".")
    return f"{int(whole) + 1}{point}{rest}"
