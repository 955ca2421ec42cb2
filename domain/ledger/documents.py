"""Bills and credit notes: frozen, each with the next number of its series, taken in the transaction that issues it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import update

from domain.columns import table_of
from domain.database import Transaction
from domain.ids import DocumentId, OperatorId
from domain.ledger.models import Document, DocumentKind, DocumentSeries
from domain.money import Money

_series = table_of(DocumentSeries)
_PREFIX = {DocumentKind.BILL: "B", DocumentKind.CREDIT_NOTE: "CN"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A document before it has its number. `content` must be JSON of texts, numbers, lists and mappings."""

    id: DocumentId
    kind: DocumentKind
    subject: str
    net: Money
    tax: Money
    content: Mapping[str, object]
    corrects_id: DocumentId | None = None


async def issue(tx: Transaction, operator: OperatorId, draft: Draft, at: datetime) -> Document:
    """Give a draft its number and freeze it. Call it last: the series row stays locked until the end."""
    series = f"{_PREFIX[draft.kind]}-{at.year}"
    await tx.insert_once(DocumentSeries(operator_id=operator, series=series, next=1))
    taken = await tx.row(
        update(_series)
        .where(_series.c.operator_id == operator, _series.c.series == series)
        .values(next=_series.c.next + 1)
        .returning(_series.c.next)
    )
    assert taken is not None
    content = orjson.dumps(draft.content, option=orjson.OPT_SORT_KEYS).decode()
    document = Document(
        operator_id=operator,
        id=draft.id,
        kind=draft.kind,
        subject=draft.subject,
        series=series,
        number=taken["next"] - 1,
        corrects_id=draft.corrects_id,
        currency=draft.net.currency,
        net_minor=draft.net.minor,
        tax_minor=draft.tax.minor,
        content=content,
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        issued_at=at,
    )
    await tx.insert(document)
    return document
