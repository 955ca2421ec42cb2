"""How a running session goes on if nothing about it changes: read off its row and its tariff. Pure."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import orjson

from domain.energy import Energy
from domain.sessions.models import ChargingSession, ChargingSessionStatus
from domain.tariffs import Course, Cut, TariffEdition, tariff_of

FORESEEN = timedelta(days=1)
"""So far ahead is looked."""


def course_of(session: ChargingSession, edition: TariffEdition) -> Course | None:
    """From its last meter value on; None where it is over, or neither charges at a known power nor is parked.

    Nor is the price foreseeable where periods name several tariffs.
    """
    power_w = 0 if session.status is ChargingSessionStatus.PARKED else session.power_w
    if session.is_final or session.started_at is None or power_w is None:
        return None
    if len(orjson.loads(session.locked_tariffs)) > 1:
        return None
    return Course(
        tariff_of(edition),
        session.started_at,
        ZoneInfo(session.time_zone),
        Cut(session.metered_at, Fraction(Energy(session.energy_wh).kwh)),
        Fraction(Decimal(power_w).scaleb(-3)),
    )
