"""A file of recorded sessions, read line by line: every row becomes a recorded session or a refusal with its reason.

CSV in UTF-8 with a header; columns beyond those needed are ignored. Nothing is read twice into memory, nothing is lost.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from api.replay.recorded import COLUMNS, BadRow, Recorded, recorded

MOST_ROWS = 1_000_000
"""Rows of one file: their ids are remembered while it is read."""

_LONGEST_LINE = 65_536


class BadFile(Exception):
    """The file as a whole cannot be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is no recorded session."""

    line: int
    reason: str


def rows_of(path: Path, limit: int | None) -> Iterator[Recorded | RefusedRow]:
    """The first `limit` rows, or all, in their order. Raises BadFile, before the first row or at the line that ends it.

    A row with the id of an earlier one is refused, whatever else it says.
    """
    if not path.is_file():
        raise BadFile(f"{path} is not a file.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from islice(_rows(path, file), limit)
    except UnicodeDecodeError as error:
        raise BadFile(f"{path} is not UTF-8: {error.reason} near byte {error.start}.") from None
    except csv.Error as error:
        raise BadFile(f"{path} is not CSV: {error}.") from None
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}.") from None


def _rows(path: Path, file: TextIO) -> Iterator[Recorded | RefusedRow]:
    reader = csv.reader(_lines(path, file))
    header = [name.strip() for name in next(reader, [])]
    _check(path, header)
    known: set[str] = set()
    line = reader.line_num + 1
    for cells in reader:
        if cells:
            if len(known) == MOST_ROWS:
                raise BadFile(f"{path} has more than {MOST_ROWS:,} rows: split it.")
            yield _row(line, header, cells, known)
        line = reader.line_num + 1


def _row(line: int, header: list[str], cells: list[str], known: set[str]) -> Recorded | RefusedRow:
    if len(cells) != len(header):
        return RefusedRow(line, "the row has more or fewer cells than the header")
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    try:
        row = recorded(line, values)
    except BadRow as bad:
        return RefusedRow(line, bad.reason)
    if row.id in known:
        return RefusedRow(line, "charge_log_id is that of an earlier row")
    known.add(row.id)
    return row


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise BadFile(f"{path} has a line of more than {_LONGEST_LINE:,} characters.")
        yield line


def _check(path: Path, header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise BadFile(f"{path} has no column {', '.join(missing)}.")
    twice = sorted({name for name in COLUMNS if header.count(name) > 1})
    if twice:
        raise BadFile(f"{path} has more than one column {', '.join(twice)}.")
