"""`tallywatt price` and `tallywatt lint`: files and streams in, JSON out; no gateway, no store, no settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn

from cyclopts import Parameter

from domain.errors import DomainError, InvalidInput
from domain.tariffs import (
    Desk,
    Question,
    json_text,
    lint_json,
    parse_instant,
    read_json,
    zone_named,
)
from domain.tariffs import lint as lint_

_STDIN = "-"
_LONGEST_LINE = 4 * 2**20
_LARGEST_FILE = 64 * 2**20
_INTERNAL = {"error": {"code": "internal", "message": "This could not be priced; that is a fault of ours."}}
_Flag = Annotated[bool, Parameter(negative="")]


def price(
    *,
    cdr: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    tariff: Annotated[list[Path] | None, Parameter(negative="")] = None,
    time_zone: str | None = None,
    currency_decimals: int | None = None,
    reservation_expired: _Flag = False,
    at: str | None = None,
    now: str | None = None,
    jsonl: _Flag = False,
) -> None:
    """Price a CDR or a Session of OCPI, or a stream of records, one JSON object a line.

    Exit code 0: priced; 1: something is wrong with it; 2: unreadable.

    Parameters
    ----------
    cdr
        The CDR or Session, bare or in an OCPI envelope; - reads it from the standard input.
    tariff
        A Tariff; may be given more than once, and then wins over those that the CDR carries.
    time_zone
        IANA name of the location's time zone.
    currency_decimals
        Decimals of the total, instead of those of the currency.
    reservation_expired
        Nobody came for the reservation.
    at
        Price a session that is still open as if it ended at this instant.
    now
        The present instant: a record that ends later is remarked on.
    jsonl
        Read questions from the standard input, one JSON object a line, and write one answer a line.

    """
    if jsonl:
        if cdr is not None or tariff is not None:
            _wrong("--jsonl takes its records and tariffs from the standard input")
        sys.exit(0 if stream(sys.stdin.buffer, sys.stdout.buffer) else 1)
    if cdr is None:
        _wrong("--cdr FILE or --jsonl is needed")
    record = _object(_unwrapped(_document(cdr)), cdr)
    question = Question(
        tariffs=[one for path in tariff or () for one in _tariffs(str(path))],
        record=record,
        time_zone=time_zone,
        digits=currency_decimals,
        at=None if at is None else _instant(at),
        now=datetime.now(UTC) if now is None else _instant(now),
        reservation_expired=reservation_expired,
    )
    answer = Desk().statement(question)
    _print(answer.content)
    sys.exit(0 if answer.is_priced else 1)


def lint(tariff: Path, /, *, time_zone: str | None = None) -> None:
    """Say what is wrong with a Tariff of OCPI, or with a list of them.

    Exit code 0: nothing is wrong; 1: an error was found; 2: unreadable.

    Parameters
    ----------
    tariff
        The Tariff, or a list of them, bare or in an OCPI envelope.
    time_zone
        IANA name of a time zone: windows are checked against its clock changes.

    """
    try:
        zone = None if time_zone is None else zone_named(time_zone)
    except InvalidInput as refused:
        _wrong(f"--time-zone {time_zone}: {refused}")
    told = lint_json(lint_(_unwrapped(_document(str(tariff))), zone))
    _print(told)
    sys.exit(1 if told["errors"] else 0)


def stream(lines: BinaryIO, answers: BinaryIO) -> bool:
    """Answer line by line until the lines end; whether every one of them was priced."""
    desk, every = Desk(), True
    for line in _lines(lines):
        try:
            content, is_priced = desk.line(line)
            text = json_text(content)
        except Exception:  # noqa: BLE001  one line of a stream never ends the stream
            text, is_priced = json_text(_INTERNAL), False
        every &= is_priced
        answers.write(text + b"\n")
        answers.flush()
    return every


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines that are not blank; of one that is too long only so much that it is seen to be."""
    while line := stream.readline(_LONGEST_LINE + 2):
        rest = line
        while not rest.endswith(b"\n") and len(rest) > _LONGEST_LINE:
            rest = stream.readline(_LONGEST_LINE + 2)
        if line.strip():
            yield line.rstrip(b"\r\n")


def _document(path: str) -> object:
    try:
        data = sys.stdin.buffer.read(_LARGEST_FILE + 1) if path == _STDIN else _read(Path(path))
        if len(data) > _LARGEST_FILE:
            _wrong(f"{path}: too large")
        return read_json(data)
    except OSError as error:
        _wrong(f"{path}: {error.strerror}")
    except DomainError as refused:
        _wrong(f"{path}: {refused}")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST_FILE + 1)


def _unwrapped(document: object) -> object:
    """What an OCPI envelope carries, or the document itself."""
    is_envelope = isinstance(document, Mapping) and "data" in document and "status_code" in document
    return document["data"] if isinstance(document, Mapping) and is_envelope else document


def _tariffs(path: str) -> list[object]:
    told = _unwrapped(_document(path))
    return told if isinstance(told, list) else [_object(told, path)]


def _object(document: object, path: str) -> Mapping[str, object]:
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, Mapping):
        _wrong(f"{path}: not one JSON object")
    return document


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except InvalidInput as refused:
        _wrong(f"{text}: {refused}")


def _print(content: Mapping[str, object]) -> None:
    sys.stdout.buffer.write(json_text(content) + b"\n")
    sys.stdout.buffer.flush()


def _wrong(why: str) -> NoReturn:
    sys.stderr.write(f"tallywatt: {why}\n")
    sys.exit(2)
