"""Who charges: enrolled once by the subject of their access token, known to charge points by a Token."""

from __future__ import annotations

import hashlib

from sqlalchemy import select

from domain.clock import Clock
from domain.columns import table_of
from domain.database import Database, Reader, Transaction
from domain.drivers.models import Driver, Token, TokenKind
from domain.ids import DriverId, Ids, OperatorId, TokenId

_tokens = table_of(Token)


class DriverService:
    """Drivers and their Tokens. Tokens are issued under the operator's own eMSP role (`country_code`, `party_id`)."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def enrol(self, tx: Transaction, operator: OperatorId, subject: str, display_name: str) -> Driver:
        """The driver of this subject; made on first sight. Name and language are the driver's own to change."""
        known = await tx.find(Driver, operator_id=operator, subject=subject)
        if known is not None:
            return known
        driver = Driver(
            operator_id=operator,
            id=DriverId(self._ids.new()),
            subject=subject,
            display_name=display_name,
            enrolled_at=self._clock.now(),
        )
        if await tx.insert_once(driver):
            return driver
        winner = await tx.find(Driver, operator_id=operator, subject=subject)
        assert winner is not None
        return winner

    async def known(self, operator: OperatorId, subject: str) -> Driver | None:
        """The driver whom an issuer calls `subject`."""
        async with self._database.read() as reader:
            return await reader.find(Driver, operator_id=operator, subject=subject)

    async def driver(self, operator: OperatorId, driver: DriverId) -> Driver | None:
        """One driver."""
        async with self._database.read() as reader:
            return await reader.find(Driver, operator_id=operator, id=driver)

    async def app_token(self, tx: Transaction, operator: OperatorId, driver: DriverId, owner: tuple[str, str]) -> Token:
        """The Token that stands for the driver's app; `owner` is our eMSP role (country code, party id)."""
        country_code, party_id = owner
        uid = "APP-" + hashlib.sha256(f"{operator}:{driver}".encode()).hexdigest()[:24].upper()
        token = Token(
            operator_id=operator,
            id=TokenId(self._ids.new()),
            driver_id=driver,
            country_code=country_code,
            party_id=party_id,
            uid=uid,
            kind=TokenKind.APP_USER,
            contract_id=f"{country_code}-{party_id}-C{uid[4:12]}",
        )
        await tx.insert_once(token)
        found = await tx.find(Token, operator_id=operator, uid=uid, kind=TokenKind.APP_USER, driver_id=driver)
        assert found is not None
        return found

    async def by_token(self, reader: Reader, operator: OperatorId, owner: tuple[str, str], uid: str) -> Token | None:
        """Our driver's Token with this owner and uid, if it is ours and valid. Case does not matter."""
        statement = select(_tokens).where(
            _tokens.c.operator_id == operator,
            _tokens.c.country_code == owner[0].upper(),
            _tokens.c.party_id == owner[1].upper(),
            _tokens.c.uid.in_({uid, uid.upper(), uid.lower()}),
            _tokens.c.is_valid,
        )
        found = await reader.list(Token, statement.limit(1))
        return found[0] if found else None
