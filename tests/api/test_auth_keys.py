"""Whose key opens the door: that of the issuer, or one made here for development."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from api.auth import RefusedInProduction, Verifier, issue_development_token
from api.jwks import FetchedKeys
from api.settings import Environment, Settings
from domain.clock import ManualClock
from resolvers.principal import Role
from tests.api.tokens import NOW, SOUND, key_set, refused, token

pytestmark = pytest.mark.usefixtures("empty_environment")


# --- keys of an issuer --------------------------------------------------------------------------------------------


async def test_an_issuer_that_has_never_answered_is_no_fault_of_the_token() -> None:
    async def fetch() -> bytes:
        raise ConnectionRefusedError

    verifier = Verifier(Settings(), ManualClock(NOW), FetchedKeys(fetch))
    assert await refused(verifier, token()) == "keys_unavailable"
    await verifier.close()


JWKS = "https://login.example.com/jwks.json"


def issuer() -> Settings:
    return Settings(jwks_url=JWKS)


async def test_with_an_issuer_the_development_key_opens_nothing(tmp_path: Path) -> None:
    bearer = issue_development_token(Settings(), Role.OPERATOR, "me", timedelta(hours=1))

    async def fetch() -> bytes:
        return key_set(SOUND)

    assert isinstance(Verifier(issuer())._keys, FetchedKeys)
    assert await refused(Verifier(issuer(), keys=FetchedKeys(fetch)), bearer) == "unknown_key"


# --- development --------------------------------------------------------------------------------------------------


async def test_a_development_token_opens_the_door(tmp_path: Path) -> None:
    settings = Settings(var=tmp_path / "keys")
    bearer = issue_development_token(settings, Role.FINANCE, "clerk", timedelta(minutes=15), name="Grace")
    principal = await Verifier(settings).principal(bearer)
    assert (principal.role, principal.subject, principal.display_name) == (Role.FINANCE, "clerk", "Grace")
    assert principal.operator_id == settings.operator_id
    assert (tmp_path / "keys" / "token-signing-key.pem").stat().st_mode & 0o777 == 0o600


async def test_a_development_token_of_another_machine_does_not(tmp_path: Path) -> None:
    bearer = issue_development_token(Settings(var=tmp_path / "a"), Role.DRIVER, "me", timedelta(minutes=1))
    assert await refused(Verifier(Settings(var=tmp_path / "b")), bearer) == "bad_signature"


@pytest.mark.parametrize("lifetime", [timedelta(), timedelta(seconds=-1), timedelta(hours=1, seconds=1)])
def test_a_development_token_lives_an_hour_at_most(lifetime: timedelta) -> None:
    with pytest.raises(ValueError, match="hour"):
        issue_development_token(Settings(), Role.DRIVER, "me", lifetime)


def production() -> Settings:
    secret = SecretStr("x" * 40)
    return Settings(
        jwks_url=JWKS,
        environment=Environment.PRODUCTION,
        public_url="https://charging.example.com",
        jwt_issuer="https://login.example.com",
        signing_secret=secret,
        adyen_api_key=secret,
        adyen_merchant_account="Tallywatt",
        adyen_hmac_key=SecretStr("ab" * 32),
        adyen_webhook_user="adyen",
        adyen_webhook_password=secret,
    )


@pytest.mark.parametrize("make", [issuer, production])
def test_no_development_token_is_issued_where_an_issuer_signs(make: Callable[[], Settings]) -> None:
    with pytest.raises(RefusedInProduction):
        issue_development_token(make(), Role.OPERATOR, "me", timedelta(minutes=1))


async def test_production_has_no_development_key(tmp_path: Path) -> None:
    settings = production()
    assert isinstance(Verifier(settings)._keys, FetchedKeys)
    with pytest.raises(RefusedInProduction):
        Verifier(settings.model_copy(update={"jwks_url": None}))
    assert not (tmp_path / "var").exists()
