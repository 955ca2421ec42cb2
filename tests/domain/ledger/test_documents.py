from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from domain.columns import table_of
from domain.database import Database
from domain.errors import DeadlinePassed
from domain.ids import DocumentId
from domain.ledger import Document, DocumentKind, Draft, issue
from tests.domain.ledger.books import NOON, Books, eur, verdicts


@pytest.fixture
def books(database: Database) -> Books:
    return Books(database)


def draft(kind: DocumentKind = DocumentKind.BILL) -> Draft:
    return Draft(DocumentId(uuid4()), kind, "charging_session:1", eur(1000), eur(190), {"lines": [{"total": 1190}]})


async def issued(books: Books, *drafts: Draft) -> list[str]:
    async with books.database.transaction() as tx:
        return [(await issue(tx, books.operator, one, NOON)).printed_number for one in drafts]


async def test_numbers_of_a_series_follow_each_other(books: Books) -> None:
    assert await issued(books, draft(), draft()) == ["B-2026-000001", "B-2026-000002"]
    assert await issued(books, draft(DocumentKind.CREDIT_NOTE), draft()) == ["CN-2026-000001", "B-2026-000003"]
    assert await verdicts(books.database) == {}


async def test_numbers_have_no_twin_and_no_gap_when_issued_at_once(books: Books) -> None:
    numbers = await asyncio.gather(*(issued(books, draft()) for _ in range(8)))
    assert sorted(number for (number,) in numbers) == [f"B-2026-00000{n}" for n in range(1, 9)]
    assert await verdicts(books.database) == {}


async def test_a_number_that_was_not_used_is_given_again(books: Books) -> None:
    async def issued_and_undone() -> None:
        async with books.database.transaction() as tx:
            await issue(tx, books.operator, draft(), NOON)
            raise DeadlinePassed(NOON, "rest of the transaction")

    with pytest.raises(DeadlinePassed):
        await issued_and_undone()
    assert await issued(books, draft()) == ["B-2026-000001"]


async def test_operators_count_for_themselves(books: Books, database: Database) -> None:
    assert await issued(books, draft()) == await issued(Books(database), draft()) == ["B-2026-000001"]


async def test_a_document_is_frozen(books: Books) -> None:
    await issued(books, draft())
    documents = table_of(Document)
    for statement in (update(documents).values(content="{}"), delete(documents)):
        with pytest.raises(DBAPIError, match="written once"):
            async with books.database.transaction() as tx:
                await tx.execute(statement)
    assert await verdicts(books.database) == {}
