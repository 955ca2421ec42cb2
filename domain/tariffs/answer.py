"""What strangers ask of pricing: documents in, statements out, and a coded error where something cannot be priced.

A stream asks one record a line; a single question has files, options and the whole statement as its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

from domain.errors import CurrencyMismatch, DomainError, InvalidInput, UnknownTariff
from domain.tariffs.edition import json_of
from domain.tariffs.exact_json import read_json
from domain.tariffs.explain import finding_json, pricing_json, result_json
from domain.tariffs.findings import Code, Finding, Level
from domain.tariffs.policy import RoundingPolicy
from domain.tariffs.pricing import price
from domain.tariffs.reading import Flaw, Path, mapping, refusal, required, sequence
from domain.tariffs.record import ChargingRecord, parse_record
from domain.tariffs.result import Pricing
from domain.tariffs.tariff import Tariff, parse_tariff
from domain.tariffs.totals import compared
from domain.tariffs.zones import guessed_zone, zone_named

MOST_BYTES = 4 * 2**20
"""Of one line; what is longer is not read."""
_MOST_DECIMALS = 18
_MOST_KNOWN, _LONGEST_KNOWN = 256, 16_384
_AHEAD = timedelta(minutes=5)
_GUESSED = "The time zone was not given; it was guessed."
_REFUSED_BY_A_TARIFF = {Flaw.MISSING_FIELD: Code.SCHEMA, Flaw.BAD_VALUE: Code.SCHEMA, Flaw.NOT_AN_OBJECT: Code.SCHEMA}


class Answer(NamedTuple):
    """What to print, and whether it is an amount that can be trusted."""

    content: dict[str, object]
    is_priced: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One record to be priced: raw documents, and what else was said about them."""

    tariffs: Sequence[object]
    """Given; if none are, those that the record carries serve."""
    record: Mapping[str, object]
    time_zone: object = None
    digits: object = None
    at: datetime | None = None
    now: datetime | None = None
    reservation_expired: bool = False


class Desk:
    """Answers questions; tariffs that it has seen lately it need not read again."""

    def __init__(self) -> None:
        self._known: dict[str, Tariff] = {}

    def line(self, line: bytes) -> Answer:
        """The answer to one line of a stream: a result or an error, with the `id` of the question."""
        asked: object = None
        try:
            if len(line) > MOST_BYTES:
                raise refusal(Flaw.TOO_LARGE, ())
            asked = read_json(line)
            if not isinstance(asked, dict):
                raise refusal(Flaw.NOT_AN_OBJECT, ())
            return Answer({**_echo(asked), **result_json(self._asked(asked))}, is_priced=True)
        except DomainError as refused:
            return Answer({**_echo(asked), **error_json(refused)}, is_priced=False)

    def statement(self, question: Question) -> Answer:
        """The whole statement of one record; what keeps it from being priced is a finding."""
        try:
            tariffs, record, pricing = self._priced(question)
        except DomainError as refused:
            return Answer(_unpriced(question, _finding(refused)), is_priced=False)
        findings = [*pricing.findings, *compared(question.record, tariffs, record, pricing)]
        if question.now is not None and record.ended_at > question.now + _AHEAD:
            findings.append(Finding(Code.FUTURE_SESSION, "The session ends in the future."))
        told = pricing_json(pricing) | {"findings": [finding_json(finding) for finding in findings]}
        return Answer(told, is_priced=all(finding.level is not Level.ERROR for finding in findings))

    def _asked(self, raw: Mapping[str, object]) -> Pricing:
        record = mapping(required(raw, "session", ()), ("session",))
        given = raw.get("tariffs") if record.get("tariffs") is not None else required(raw, "tariffs", ())
        tariffs = () if given is None else sequence(given, ("tariffs",))
        question = Question(tariffs, record, raw.get("time_zone"), raw.get("currency_decimals"))
        _, _, pricing = self._priced(question, ("session",))
        return pricing

    def _priced(self, question: Question, path: Path = ()) -> tuple[list[Tariff], ChargingRecord, Pricing]:
        raw = question.record
        policy = RoundingPolicy(digits=_digits(question.digits))
        zone = guessed_zone(raw) if question.time_zone is None else zone_named(question.time_zone)
        carried = raw.get("tariffs")
        given = question.tariffs or (() if carried is None else sequence(carried, (*path, "tariffs")))
        tariffs = [self._tariff(one, ("tariffs", place)) for place, one in enumerate(given)]
        try:
            record = parse_record(raw, question.at)
        except InvalidInput as refused:
            raise _within(path, refused) from None
        if question.time_zone is None:
            record = replace(record, findings=(*record.findings, Finding(Code.TIME_ZONE_GUESSED, _GUESSED)))
        if question.reservation_expired:
            record = replace(record, reservation_expired=True)
        return tariffs, record, price(tariffs, record, zone, policy)

    def _tariff(self, raw: object, path: Path) -> Tariff:
        content = repr(raw)
        known = self._known.get(content)
        if known is not None:
            return known
        try:
            tariff = parse_tariff(mapping(raw, ()))
        except InvalidInput as refused:
            raise _within(path, refused) from None
        if len(content) <= _LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[content] = tariff
        return tariff


def error_json(refused: DomainError) -> dict[str, object]:
    """`{"error": {"code", "message"}}`."""
    path = ".".join(refused.path) if isinstance(refused, InvalidInput) else ""
    message = f"{refused} ({path})" if path else str(refused)
    return {"error": {"code": _code(refused), "message": message}}


def _code(refused: DomainError) -> str:
    if isinstance(refused, UnknownTariff):
        return "unknown_tariff"
    if isinstance(refused, InvalidInput):
        return Flaw(refused.reason).name.lower()
    assert isinstance(refused, CurrencyMismatch), refused
    return "bad_value"


def _finding(refused: DomainError) -> Finding:
    if isinstance(refused, UnknownTariff):
        return Finding(Code.UNKNOWN_TARIFF, str(refused))
    if isinstance(refused, CurrencyMismatch):
        return Finding(Code.CURRENCY_MISMATCH, "The tariffs of this record count in different currencies.")
    assert isinstance(refused, InvalidInput), refused
    flaw = Flaw(refused.reason)
    code = _REFUSED_BY_A_TARIFF.get(flaw) or Code(flaw.name.lower())
    return Finding(code, refused.reason, path=refused.path)


def _unpriced(question: Question, finding: Finding) -> dict[str, object]:
    amounts = ("total_cost", *(f"total_{part}_cost" for part in ("energy", "time", "parking", "reservation", "fixed")))
    return {
        **dict.fromkeys(amounts),
        "taxes": [],
        "lines": [],
        "limit_applied": None,
        "findings": [finding_json(finding)],
        "currency": None,
        "billed": None,
        "adjustments": [],
        "policy": None,
        "time_zone": question.time_zone if isinstance(question.time_zone, str) else None,
    }


def _within(path: Path, refused: InvalidInput) -> InvalidInput:
    """The same refusal, of something that lies at `path`."""
    return InvalidInput(refused.reason, (*map(str, path), *refused.path))


def _digits(told: object) -> int | None:
    if told is None:
        return None
    if type(told) is not int or not 0 <= told <= _MOST_DECIMALS:
        raise refusal(Flaw.BAD_VALUE, ("currency_decimals",))
    return told


def _echo(asked: object) -> dict[str, object]:
    if not isinstance(asked, dict) or "id" not in asked:
        return {}
    try:
        return {"id": orjson.Fragment(json_of(asked["id"]))}
    except InvalidInput:  # nested too deep to be anybody's id
        return {}
