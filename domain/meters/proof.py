"""What the signed data of a CDR proves (OCPI, CDRs, SignedData): each record judged, and what they tell together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from domain.errors import InvalidInput
from domain.meters.issues import Issue, IssueCode
from domain.meters.keys import KeySource, MeterKey, SignatureVerdict, judged, meter_key
from domain.meters.ocmf import Ocmf, read_ocmf
from domain.meters.transaction import Transaction, is_complete, one_record, two_records

_OCMF = "OCMF"


@dataclass(frozen=True, slots=True)
class SignedValue:
    """One record: `nature` is Start, End or Intermediate, `signed` the text as it came."""

    nature: str
    signed: str


@dataclass(frozen=True, slots=True)
class SignedData:
    """All of them, and the key that came along."""

    method: str
    key: str | None
    values: tuple[SignedValue, ...]


@dataclass(frozen=True, slots=True)
class RecordVerdict:
    """One record, and whose word it is that the key is the meter's."""

    nature: str
    verdict: SignatureVerdict
    key_from: KeySource | None = None


@dataclass(frozen=True, slots=True)
class MeterProof:
    """The whole: `verdict` is that of the weakest record; `kwh` what begin and end say, None where they do not."""

    format: str
    verdict: SignatureVerdict
    key_from: KeySource | None
    records: tuple[RecordVerdict, ...]
    kwh: Decimal | None
    issues: tuple[Issue, ...]

    @property
    def is_verified(self) -> bool:
        """Whether the signatures and the readings are right."""
        return self.verdict is SignatureVerdict.VERIFIED and not any(issue.is_error for issue in self.issues)

    def as_json(self) -> str:
        """As it lies in the table."""
        return orjson.dumps(
            {
                "format": self.format,
                "verdict": self.verdict.value,
                "key_from": self.key_from,
                "records": [[one.nature, one.verdict.value, one.key_from] for one in self.records],
                "kwh": None if self.kwh is None else f"{self.kwh:f}",
                "issues": [[issue.code.value, issue.message, issue.is_error] for issue in self.issues],
            }
        ).decode()

    @classmethod
    def of(cls, text: str) -> MeterProof:
        """As it was stored."""
        raw: dict[str, Any] = orjson.loads(text)
        return cls(
            format=raw["format"],
            verdict=SignatureVerdict(raw["verdict"]),
            key_from=_source(raw["key_from"]),
            records=tuple(RecordVerdict(name, SignatureVerdict(v), _source(key)) for name, v, key in raw["records"]),
            kwh=None if raw["kwh"] is None else Decimal(raw["kwh"]),
            issues=tuple(Issue(IssueCode(code), message, is_error) for code, message, is_error in raw["issues"]),
        )


ABSENT = MeterProof("", SignatureVerdict.ABSENT, None, (), None, ())


def prove(data: SignedData | None, registered: Sequence[MeterKey], *, bills_time: bool = False) -> MeterProof:
    """Judge every record, and whether begin and end are those of one transaction. Never raises: strangers wrote it."""
    if data is None or not data.values:
        return ABSENT
    if data.method.casefold() != _OCMF.casefold():
        unread = tuple(RecordVerdict(value.nature, SignatureVerdict.UNVERIFIABLE) for value in data.values)
        return MeterProof(data.method, SignatureVerdict.UNVERIFIABLE, None, unread, None, ())
    told = _key(data.key)
    verdicts: list[RecordVerdict] = []
    issues: list[Issue] = []
    read: list[tuple[str, Ocmf]] = []
    for value in data.values:
        try:
            record = read_ocmf(value.signed)
        except InvalidInput as refusal:
            issues.append(Issue(IssueCode.UNREADABLE, f"{value.nature}: {refusal.reason}"))
            verdicts.append(RecordVerdict(value.nature, SignatureVerdict.FAILED))
            continue
        verdicts.append(RecordVerdict(value.nature, *judged(record, registered, told or _key(record.key))))
        read.append((value.nature.casefold(), record))
    told_by = _transaction(read, bills_time=bills_time)
    weakest = min(verdicts, key=lambda one: _WEAKEST.index(one.verdict))
    return MeterProof(
        format=_OCMF,
        verdict=weakest.verdict,
        key_from=next((one.key_from for one in verdicts if one.key_from is KeySource.RECORD), weakest.key_from),
        records=tuple(verdicts),
        kwh=told_by.kwh,
        issues=(*issues, *told_by.issues),
    )


_WEAKEST = (SignatureVerdict.FAILED, SignatureVerdict.UNVERIFIABLE, SignatureVerdict.VERIFIED)
_NO_BEGIN = Issue(IssueCode.BEGIN_TX, "There is no record of the begin.")
_NO_END = Issue(IssueCode.END_TX, "There is no record of the end.")


def _transaction(read: Sequence[tuple[str, Ocmf]], *, bills_time: bool) -> Transaction:
    """A record that tells all of it counts by itself; otherwise Start and End are taken together."""
    whole = next((record for _, record in reversed(read) if is_complete(record)), None)
    if whole is not None:
        return one_record(whole, bills_time=bills_time)
    begins, ends = ([record for nature, record in read if nature == name] for name in ("start", "end"))
    if begins and ends:
        return two_records(begins[0], ends[-1], bills_time=bills_time)
    return Transaction(None, (*([] if begins else [_NO_BEGIN]), *([] if ends else [_NO_END])))


def _key(text: str | None) -> MeterKey | None:
    """A key that came along; one that nobody can use is none."""
    try:
        return None if text is None else meter_key(text)
    except InvalidInput:
        return None


def _source(text: str | None) -> KeySource | None:
    return None if text is None else KeySource(text)
