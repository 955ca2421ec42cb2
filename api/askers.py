"""A checked credential becomes the context of an operation: whose books, which driver, fresh loaders."""

from __future__ import annotations

from collections import OrderedDict

import structlog

from api.auth import Unauthenticated, Verifier
from api.keys import Keys
from api.settings import Settings
from domain.drivers import Driver
from domain.errors import NotFound
from domain.ids import OperatorId
from domain.partners import Operator
from domain.services import Services
from resolvers.context import Context
from resolvers.cursors import Cursors
from resolvers.loaders import Loaders
from resolvers.principal import Principal, Role

MOST_REMEMBERED = 10_000


class Askers:
    """Knows operators and drivers; a driver is enrolled, with a wallet, when first seen."""

    def __init__(self, services: Services, verifier: Verifier, keys: Keys, settings: Settings) -> None:
        self._services = services
        self._verifier = verifier
        self._cursor_key = keys.cursor_key()
        self._settings = settings
        self._operators: dict[OperatorId, Operator] = {}
        self._drivers: OrderedDict[tuple[OperatorId, str], Driver] = OrderedDict()

    async def principal(self, bearer: str | None) -> Principal:
        """Who a bearer token speaks for. Raises Unauthenticated."""
        return await self._verifier.principal(bearer)

    async def context(self, principal: Principal) -> Context:
        """The context of one operation. Raises Unauthenticated for an operator that is not here."""
        operator = await self._operator(principal.operator_id)
        driver = await self._driver(principal, operator) if principal.role is Role.DRIVER else None
        viewer = f"{principal.operator_id}:{principal.role}:{principal.subject}"
        return Context(
            principal=principal,
            operator=operator,
            driver=driver,
            services=self._services,
            loaders=Loaders(self._services, operator.operator_id),
            cursors=Cursors(self._cursor_key, viewer),
            request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
            may_return_to=self._settings.may_return_to,
        )

    async def _operator(self, operator: OperatorId) -> Operator:
        known = self._operators.get(operator)
        if known is None:
            try:
                known = await self._services.partners.operator(operator)
            except NotFound:
                raise Unauthenticated("unknown_operator") from None
            self._operators[operator] = known
        return known

    async def _driver(self, principal: Principal, operator: Operator) -> Driver:
        name = principal.operator_id, principal.subject
        known = self._drivers.get(name)
        if known is None:
            known = await self._services.wallets.enrol(
                operator.operator_id, principal.subject, principal.display_name[:120], operator.currency
            )
            self._drivers[name] = known
            if len(self._drivers) > MOST_REMEMBERED:
                self._drivers.popitem(last=False)
        return known
