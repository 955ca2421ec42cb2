"""Revenue: what operators earn, by time and place, and would earn under a draft tariff. Reads CDRs, owns nothing."""

from domain.revenue.calendar import Interval
from domain.revenue.service import Figures, Measure, RevenueService, Scope
from domain.revenue.simulation import Simulation, SimulationService, Tally

__all__ = [
    "Figures",
    "Interval",
    "Measure",
    "RevenueService",
    "Scope",
    "Simulation",
    "SimulationService",
    "Tally",
]
