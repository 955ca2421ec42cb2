"""Operators, OCPI parties and the places where sessions happen. Owns the registry, no session and no money."""

from domain.partners.models import Connector, Evse, EvseMeterKey, EvseStatus, Location, Operator, PartnerRounding, Party
from domain.partners.service import ChargePoint, ConnectorPlan, EvsePlan, LocationPlan, PartnerService

__all__ = [
    "ChargePoint",
    "Connector",
    "ConnectorPlan",
    "Evse",
    "EvseMeterKey",
    "EvsePlan",
    "EvseStatus",
    "Location",
    "LocationPlan",
    "Operator",
    "PartnerRounding",
    "PartnerService",
    "Party",
]
