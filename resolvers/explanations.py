"""Why a line of a cost is what it is: the explanation that lies in the bill, with a type for each of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import strawberry

from domain import tariffs
from resolvers.describing import describe
from resolvers.scalars import Exact, Timestamp

Told = Mapping[str, Any]
_EXACT = "a decimal, or a fraction in lowest terms such as `17/60`"


class DayOfWeek(StrEnum):
    """As OCPI names them."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


describe(DayOfWeek, "Days of the week.", **{day.name: f"{day.name.title()}." for day in DayOfWeek})
describe(
    tariffs.TaxIncluded,
    "Whether the prices of a tariff contain tax.",
    YES="They do.",
    NO="Tax is added.",
    NOT_APPLICABLE="There is no tax.",
)


@strawberry.type(description="The very content of a tariff that priced a line.")
class TariffEditionName:
    """What no later change can reach."""

    country_code: str = strawberry.field(description="Country of the tariff's owner.")
    party_id: str = strawberry.field(description="Owner of the tariff.")
    ocpi_id: str = strawberry.field(description="Identifier in OCPI.")
    edition: str = strawberry.field(description="Hash of its content.")


@strawberry.type(description="One restriction, and what it was compared with.")
class RestrictionTest:
    """A test."""

    element: int = strawberry.field(description="Place of the element in the tariff, from 0.")
    restriction: str = strawberry.field(description="Its name in OCPI, such as `end_time`.")
    limit: str = strawberry.field(description="As the tariff states it.")
    actual: str = strawberry.field(description="At that moment; empty when nobody measured it.")
    holds: bool = strawberry.field(description="Whether it holds.")

    @classmethod
    def of(cls, told: Told, element: int) -> RestrictionTest:
        """From the explanation."""
        return cls(
            element=element,
            restriction=told["restriction"],
            limit=told["limit"],
            actual=told["actual"],
            holds=told["holds"],
        )


@strawberry.type(description="The moment at which restrictions were tested, and what came of it.")
class ElementChoice:
    """Why this element and no other."""

    local: str = strawberry.field(description="Local time of the charging location, with its offset from UTC.")
    weekday: DayOfWeek = strawberry.field(description="Local day.")
    energy_before_kwh: str = strawberry.field(description=f"Energy of the session before that moment: {_EXACT}.")
    elapsed_seconds: Exact = strawberry.field(description="Age of the session.")
    tests: list[RestrictionTest] = strawberry.field(description="Restrictions of the element; all of them hold.")
    passed_over: list[RestrictionTest] = strawberry.field(
        description="Elements before it that price the same, and the first restriction of each that does not hold."
    )

    @classmethod
    def of(cls, told: Told, element: int) -> ElementChoice:
        """From the explanation."""
        return cls(
            local=told["local"],
            weekday=DayOfWeek(told["weekday"]),
            energy_before_kwh=told["energy_before_kwh"],
            elapsed_seconds=Exact(Decimal(told["elapsed_s"])),
            tests=[RestrictionTest.of(test, element) for test in told["tests"]],
            passed_over=[RestrictionTest.of(test, test["element"]) for test in told["passed_over"]],
        )


@strawberry.type(description="How the total of a session was rounded up to whole steps.")
class BillingStep:
    """Once a session; its surplus is on this line."""

    size: Exact = strawberry.field(description="Size of a step.")
    unit: str = strawberry.field(description="`Wh` or `s`.")
    session_measured: str = strawberry.field(description=f"Of the session, in the unit of the price: {_EXACT}.")
    session_billed: str = strawberry.field(description=f"The same, rounded up: {_EXACT}.")
    surplus: str = strawberry.field(description=f"What this line bills beyond what was measured: {_EXACT}.")


@strawberry.type(description="The tax of a line.")
class LineTax:
    """As the tariff states it."""

    included: tariffs.TaxIncluded = strawberry.field(description="Whether the price contains it.")
    percentage: Exact | None = strawberry.field(description="Rate in percent; null when none is stated.")


@strawberry.type(description="The amount of a line before any rounding, in major units.")
class ExactAmount:
    """What rounding has not touched."""

    net: str = strawberry.field(description=f"Without tax: {_EXACT}.")
    gross: str = strawberry.field(description=f"With tax: {_EXACT}.")


@strawberry.type(description="A change of the state of a charge point.")
class StateChange:
    """What began an idle time."""

    at: Timestamp = strawberry.field(description="When.")
    state: str = strawberry.field(description="Its state from then on.")


@strawberry.type(description="The whole explanation of a line; the same object lies in the bill.")
class LineDetails:
    """Every cent of a line."""

    tariff: TariffEditionName = strawberry.field(description="What priced it.")
    element: int = strawberry.field(description="Place of the element in the tariff, from 0.")
    component: int = strawberry.field(description="Place of the price component in the element, from 0.")
    first_period: int = strawberry.field(description="First charging period by time, from 0.")
    last_period: int = strawberry.field(description="Last charging period by time.")
    why: ElementChoice = strawberry.field(description="Why this element prices it.")
    unit: str = strawberry.field(description="Unit of the quantities: `kWh`, `h` or `session`.")
    measured: str = strawberry.field(description=f"Measured, without rounding: {_EXACT}.")
    billed: str = strawberry.field(description=f"Billed: {_EXACT}.")
    billed_seconds: Exact | None = strawberry.field(description="Billed, in seconds; null unless time is billed.")
    step: BillingStep | None = strawberry.field(description="Null unless this line bears the step of its session.")
    price: Exact = strawberry.field(description="Price of one unit, as the tariff states it.")
    price_unit: str = strawberry.field(description="Its unit, such as `EUR/kWh`.")
    tax: LineTax = strawberry.field(description="Tax.")
    exact: ExactAmount = strawberry.field(description="Amount before any rounding.")
    states: list[StateChange] = strawberry.field(description="State changes behind an idle time; empty otherwise.")

    @classmethod
    def of(cls, told: Told) -> LineDetails:
        """From the explanation."""
        tariff, element, step, rate = told["tariff"], told["element"], told["step"], told["tax"]["percentage"]
        seconds = told.get("billed_seconds")
        first, last = told["periods"]
        return cls(
            tariff=TariffEditionName(
                country_code=tariff["country_code"],
                party_id=tariff["party_id"],
                ocpi_id=tariff["id"],
                edition=tariff["edition"],
            ),
            element=element,
            component=told["component"],
            first_period=first,
            last_period=last,
            why=ElementChoice.of(told["why"], element),
            unit=told["unit"],
            measured=told["measured"],
            billed=told["billed"],
            billed_seconds=None if seconds is None else Exact(Decimal(seconds)),
            step=None if step is None else _step(step),
            price=Exact(Decimal(told["price"])),
            price_unit=told["price_unit"],
            tax=LineTax(
                included=tariffs.TaxIncluded(told["tax"]["included"]),
                percentage=None if rate is None else Exact(Decimal(rate)),
            ),
            exact=ExactAmount(net=told["exact"]["excl_vat"], gross=told["exact"]["incl_vat"]),
            states=[StateChange(at=_instant(one["at"]), state=one["state"]) for one in told.get("states", ())],
        )


def _step(told: Told) -> BillingStep:
    return BillingStep(
        size=Exact(Decimal(told["size"])),
        unit=told["unit"],
        session_measured=told["session_measured"],
        session_billed=told["session_billed"],
        surplus=told["surplus"],
    )


def _instant(text: str) -> Timestamp:
    at: datetime = tariffs.parse_instant(text)
    return Timestamp(at)
