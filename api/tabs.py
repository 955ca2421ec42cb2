"""What the playground opens with: one tab a caller, each with a development token that is made when the page opens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import overload

from api.auth import LONGEST_LIFE, issue_development_token
from api.playground import Tab
from api.settings import Settings
from domain.clock import Clock
from resolvers.principal import Role

DRIVER, AGENT, ANALYST = "ada", "sam", "olga"

HOME = """# What a driver's app asks first.
query Home {
  me {
    displayName
    wallet { id revision balance { available { amount } held { amount } total { amount currency } } }
    activeSessions { id status energyKwh powerKw cost { ifStoppedNow { gross { amount currency } } } }
    sessions(first: 5) { edges { node { id status energyKwh cost { ifStoppedNow { gross { amount } } } cdr { id } } } }
  }
}
"""
PRICES = """# Where to charge, and for how much; take a connector's id into the next tab.
query Prices {
  locations(first: 5) {
    edges { node { name address evses { evseId status connectors { id maxPowerKw tariff { summary } } } } }
  }
}
"""
LIVE = """# The cost of a running session, until it is billed. Take the id of an active session from the first tab.
subscription Live($id: ID!) {
  chargingSession(id: $id) {
    kind
    session {
      status energyKwh powerKw
      cost { accrued { gross { amount } } ifStoppedNow { gross { amount currency } } }
    }
  }
}
"""
DESK = """# Disputes that wait for an answer.
query Desk {
  supportDesk {
    disputes(first: 20, statuses: [UNDER_REVIEW]) {
      edges {
        node {
          id revision reference reason disputedAmount { amount currency } findings { check favours message }
        }
      }
    }
  }
}
"""
REVENUE = """# What was earned, when and where.
query Revenue($from: Date!, $before: Date!) {
  operator {
    name
    revenue(from: $from, before: $before, currency: "EUR") {
      totals { sessions energyKwh revenue { gross { amount currency } } refunded { gross { amount } } }
      timeline(by: DAY) { start figures { sessions revenue { gross { amount } } } }
      locations(rankBy: REVENUE, first: 10) { location { name } figures { sessions revenue { gross { amount } } } }
    }
  }
}
"""


class Tabs(Sequence[Tab]):
    """Made anew whenever somebody looks, so that no token in them is old."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def __len__(self) -> int:
        return len(self._tabs())

    @overload
    def __getitem__(self, index: int) -> Tab: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Tab]: ...
    def __getitem__(self, index: int | slice) -> Tab | Sequence[Tab]:
        return self._tabs()[index]

    def _tabs(self) -> list[Tab]:
        driver = token(self._settings, Role.DRIVER, DRIVER)
        today = self._clock.now().date()
        period = {"from": str(today - timedelta(days=6)), "before": str(today + timedelta(days=2))}
        return [
            Tab("Driver: home", HOME, token=driver),
            Tab("Driver: prices", PRICES, token=driver),
            Tab("Driver: live cost", LIVE, {"id": ""}, driver),
            Tab("Support: disputes", DESK, token=token(self._settings, Role.SUPPORT, AGENT)),
            Tab("Operator: revenue", REVENUE, period, token(self._settings, Role.OPERATOR, ANALYST)),
        ]


def token(settings: Settings, role: Role, subject: str) -> str:
    """A development token for an hour. Raises RefusedInProduction."""
    return issue_development_token(settings, role, subject, LONGEST_LIFE, name=subject.capitalize())
