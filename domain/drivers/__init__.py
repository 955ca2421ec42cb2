"""Who charges: drivers and the OCPI Tokens that stand for them. Owns identity, no money."""

from domain.drivers.models import Driver, Token, TokenKind
from domain.drivers.service import DriverService

__all__ = ["Driver", "DriverService", "Token", "TokenKind"]
