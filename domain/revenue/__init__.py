"""Revenue: what operators earn, by time and place. Reads CDRs, owns nothing, prices nothing again."""

from domain.revenue.calendar import Interval
from domain.revenue.service import Figures, Measure, RevenueService, Scope

__all__ = ["Figures", "Interval", "Measure", "RevenueService", "Scope"]
