"""Operators, OCPI parties and the places where sessions happen. Owns the registry, no session and no money."""

from domain.partners.models import Connector, Evse, EvseStatus, Location, Operator, Party
from domain.partners.service import ChargePoint, ConnectorPlan, EvsePlan, LocationPlan, PartnerService

__all__ = [
    "ChargePoint",
    "Connector",
    "ConnectorPlan",
    "Evse",
    "EvsePlan",
    "EvseStatus",
    "Location",
    "LocationPlan",
    "Operator",
    "PartnerService",
    "Party",
]
