"""Credit CDRs of operators: a bill of theirs taken back in full. Kept as evidence; no money moves by them yet.

Whoever settles with the operator, and support in a dispute of the driver, see that the bill no longer stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from domain.clock import Clock
from domain.columns import instant, key, minor, text
from domain.database import Database, Reader, Transaction, retried
from domain.errors import InvalidInput
from domain.ids import OperatorId, PartyId
from domain.money import Money
from domain.partners import Party
from domain.sessions.cdr import CDR, CdrKind
from domain.sessions.push import Declared


class PartnerCredit(SQLModel, table=True):
    """A credit CDR (OCPI, CDRs module): `credits_ocpi_id` names the one it takes back, which may come later."""

    __tablename__ = "partner_credit"
    __table_args__ = (
        UniqueConstraint("operator_id", "party_id", "credits_ocpi_id"),
        ForeignKeyConstraint(["operator_id", "party_id"], ["party.operator_id", "party.id"]),
    )
    operator_id: OperatorId = key()
    party_id: PartyId = key()
    ocpi_id: str = Field(primary_key=True, max_length=39)
    credits_ocpi_id: str = Field(max_length=39)
    currency: str = Field(max_length=3)
    net_minor: int = minor()
    tax_minor: int = minor()
    content: str = text()
    received_at: datetime = instant()


Kept = TypeVar("Kept", CDR, PartnerCredit)


@dataclass(frozen=True, slots=True)
class CreditPush:
    """A credit as it was sent: `total` is negative; `content` is its canonical JSON."""

    ocpi_id: str
    credits: str | None
    total: Declared
    content: str


class PartnerCreditService:
    """Takes credits and gives them back as they came."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @retried
    async def take(self, party: Party, push: CreditPush) -> bool:
        """Keep a credit; False if it was known already. Raises InvalidInput, some of them beginning with a code."""
        if push.credits is None:
            raise _refused("credit_without_reference", "a credit names the CDR that it takes back")
        row = PartnerCredit(
            operator_id=party.operator_id,
            party_id=party.id,
            ocpi_id=push.ocpi_id,
            credits_ocpi_id=push.credits,
            currency=push.total.net.currency,
            net_minor=push.total.net.minor,
            tax_minor=(push.total.gross - push.total.net).minor,
            content=push.content,
            received_at=self._clock.now(),
        )
        async with self._database.transaction() as tx:
            await self._fits(tx, party, push)
            if await tx.insert_once(row):
                return True
            known = await _named(tx, PartnerCredit, party, push.ocpi_id)
            if known is None:
                raise _refused("credit_already_given", f"another credit CDR takes back {push.credits}")
            if known.content != push.content:
                raise InvalidInput("This CDR is known with another content.", ("id",))
            return False

    async def content_of(self, party: Party, ocpi_id: str) -> str | None:
        """A credit as it was sent; None if this is none."""
        async with self._database.read() as reader:
            found = await _named(reader, PartnerCredit, party, ocpi_id)
        return None if found is None else found.content

    async def _fits(self, tx: Transaction, party: Party, push: CreditPush) -> None:
        twin = await _named(tx, CDR, party, push.ocpi_id)
        if twin is not None and twin.kind is CdrKind.ORIGINAL:
            raise InvalidInput("A CDR of this id is known that is no credit.", ("id",))
        if push.credits == push.ocpi_id or await _named(tx, PartnerCredit, party, push.credits) is not None:
            raise _refused("credit_of_credit", "a credit cannot be taken back; send a new CDR")
        original = await _named(tx, CDR, party, push.credits)
        if original is None:
            return
        asked = Money(original.net_minor, original.currency), original.gross
        if (-push.total.net, -push.total.gross) != asked:
            raise InvalidInput(f"A credit takes back all of its CDR, {asked[1]} with tax.", ("total_cost",))


async def _named(reader: Reader, kind: type[Kept], party: Party, ocpi_id: str | None) -> Kept | None:
    return await reader.find(kind, operator_id=party.operator_id, party_id=party.id, ocpi_id=ocpi_id)


def _refused(code: str, words: str) -> InvalidInput:
    return InvalidInput(f"{code}: {words}.", ("credit_reference_id",))
