"""What every field may rely on: who asks, the services, and loaders that live for one operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import strawberry

from domain.drivers import Driver
from domain.errors import NotFound
from domain.ids import DriverId, OperatorId
from domain.ledger import Cause
from domain.partners import Operator
from domain.services import Services
from resolvers.cursors import Cursors
from resolvers.loaders import Loaders
from resolvers.principal import Principal, Role


@dataclass(frozen=True)
class Context:
    """One operation, or one event of a subscription. `driver` is set exactly for principals of role DRIVER."""

    principal: Principal
    operator: Operator
    driver: Driver | None
    services: Services
    loaders: Loaders
    cursors: Cursors
    request_id: str
    may_return_to: Callable[[str], bool]

    @property
    def operator_id(self) -> OperatorId:
        """Whose books are asked."""
        return self.operator.operator_id

    @property
    def me(self) -> Driver:
        """The driver who asks. Raises NotFound for everybody else."""
        if self.driver is None:
            raise NotFound("driver")
        return self.driver

    @property
    def owner(self) -> DriverId | None:
        """Whose objects exist for the asker: a driver's own; None for staff, to whom all of the operator's do.

        Raises NotFound for those to whom nobody's objects exist.
        """
        if self.driver is not None:
            return self.driver.id
        if self.principal.role in (Role.SUPPORT, Role.FINANCE):
            return None
        raise NotFound

    @property
    def cause(self) -> Cause:
        """Who moves money, and in which request."""
        actor = f"{self.principal.role.lower()}:{self.principal.subject}"
        return Cause(actor=actor[:80], request_id=self.request_id[:80])


Info = strawberry.Info[Context, None]
