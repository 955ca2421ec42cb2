"""Settings from the environment: what they are when nothing is said, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import ValidationError
from sqlalchemy.engine import make_url

from api.settings import Environment, LogFormat, Settings, setting_name
from tests.api.environment import CANARY, ROOT, refused, surrounded_by

pytestmark = pytest.mark.usefixtures("empty_environment")


def test_with_nothing_set_it_is_development_on_this_machine() -> None:
    settings = Settings.from_environment()
    assert settings.environment == Environment.DEVELOPMENT
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:///var/tallywatt.sqlite3"
    assert settings.redis_url is None
    assert (settings.bind_host, settings.bind_port, settings.health_bind) == ("127.0.0.1", 8000, "127.0.0.1:9090")
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.operator_id == UUID("01900000-0000-7000-8000-000000000001")
    assert settings.graphiql
    assert settings.log_format == LogFormat.JSON
    assert settings.max_body_bytes == 1_000_000
    assert settings.jwt_audience == "tallywatt"


def test_settings_are_frozen() -> None:
    settings = Settings.from_environment()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, "bind_port", 1)  # noqa: B010  mypy knows that it is frozen


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TALLYWATT_ENVIRONMENT", "staging"),
        ("TALLYWATT_DATABASE_URL", f"mysql://u:{CANARY}@h/d"),
        ("TALLYWATT_DATABASE_URL", f"postgresql+psycopg://u:{CANARY}@h/d"),
        ("TALLYWATT_DATABASE_URL", f"{CANARY}"),
        ("TALLYWATT_DATABASE_URL", f"postgresql://u:{CANARY}@h:port/d"),
        ("TALLYWATT_REDIS_URL", f"http://:{CANARY}@h"),
        ("TALLYWATT_REDIS_URL", f"redis:{CANARY}"),
        ("TALLYWATT_BIND_PORT", "70000"),
        ("TALLYWATT_BIND_PORT", CANARY),
        ("TALLYWATT_HEALTH_BIND", "9090"),
        ("TALLYWATT_HEALTH_BIND", "127.0.0.1"),
        ("TALLYWATT_PUBLIC_URL", "charging.example.com"),
        ("TALLYWATT_PUBLIC_URL", "https://charging.example.com/path"),
        ("TALLYWATT_PUBLIC_URL", f"https://u:{CANARY}@charging.example.com"),
        ("TALLYWATT_RETURN_URLS", "javascript://%0aalert(1)"),
        ("TALLYWATT_RETURN_URLS", "https:///path"),
        ("TALLYWATT_RETURN_URLS", "charging.example.com"),
        ("TALLYWATT_RETURN_URLS", "https://user@charging.example.com/"),
        ("TALLYWATT_MAX_BODY_BYTES", "100000000"),
        ("TALLYWATT_GRAPHIQL", "perhaps"),
        ("TALLYWATT_OPERATOR_ID", "1"),
        ("TALLYWATT_JWKS_URL", "http://login.example.com/jwks.json"),
        ("TALLYWATT_JWKS_URL", "http://127.0.0.1/jwks.json"),
        ("TALLYWATT_JWKS_URL", "file:///etc/passwd"),
        ("TALLYWATT_JWT_TYPE", "none"),
        ("ADYEN_BASE_URL", "https://checkout.example.com"),
        ("ADYEN_BASE_URL", "http://127.0.0.1.example.com"),
        ("ADYEN_LIVE_PREFIX", "evil.example.com/"),
        ("ADYEN_HMAC_KEY", CANARY),
        ("ADYEN_HMAC_KEY_PREVIOUS", "ab" * 31),
    ],
)
def test_a_malformed_value_is_named_and_not_quoted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    told = refused(monkeypatch, **{name: value})
    assert told.startswith(f"{name}: ")
    assert "; " not in told


def test_several_malformed_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused(monkeypatch, TALLYWATT_ENVIRONMENT="staging", TALLYWATT_BIND_PORT="x", ADYEN_HMAC_KEY="x")
    assert re.findall("[A-Z_]{5,}", told) == ["TALLYWATT_ENVIRONMENT", "TALLYWATT_BIND_PORT", "ADYEN_HMAC_KEY"]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p%40ss@h/d", "postgresql+asyncpg://u:p%40ss@h/d"),
        ("postgres://u:p@h/d?sslmode=require", "postgresql+asyncpg://u:p@h/d?ssl=require"),
        ("postgresql+asyncpg://u:p@h:5433/d", "postgresql+asyncpg://u:p@h:5433/d"),
        ("sqlite:///var/x.sqlite3", "sqlite+aiosqlite:///var/x.sqlite3"),
    ],
)
def test_a_database_url_gets_its_driver(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    settings = surrounded_by(monkeypatch, TALLYWATT_DATABASE_URL=given)
    assert make_url(settings.database_url.get_secret_value()) == make_url(used)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = surrounded_by(monkeypatch, TALLYWATT_REDIS_URL="", ADYEN_THEME_ID="", TALLYWATT_BIND_PORT="")
    assert (settings.redis_url, settings.adyen_theme_id, settings.bind_port) == (None, None, 8000)


def test_what_is_handed_over_counts_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TALLYWATT_BIND_PORT", "8001")
    monkeypatch.setenv("TALLYWATT_BIND_HOST", "127.0.0.2")
    settings = Settings(bind_port=8002, var=tmp_path / "there")
    assert (settings.bind_port, settings.bind_host) == (8002, "127.0.0.2")
    assert str(tmp_path / "there") in settings.database_url.get_secret_value()


def test_graphiql_is_off_where_others_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not surrounded_by(monkeypatch, TALLYWATT_BIND_HOST="192.0.2.1").graphiql
    assert surrounded_by(monkeypatch, TALLYWATT_GRAPHIQL="true").graphiql


# --- return URLs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://charging.example.com/paid", True),
        ("https://charging.example.com/", True),
        ("tallywatt://paid", True),
        ("https://shop.example.com/return/1", True),
        ("https://charging.example.com", False),
        ("https://charging.example.com.evil.example", False),
        ("https://charging.example.com@evil.example/", False),
        ("http://charging.example.com/paid", False),
        ("https://shop.example.com/returned", False),
        ("https://charging.example.com/\\evil.example", False),
        ("https://charging.example.com/\r\nSet-Cookie: a=b", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_browsers_are_sent_to_listed_places_only(monkeypatch: pytest.MonkeyPatch, url: str, allowed: bool) -> None:
    listed = "https://charging.example.com, tallywatt:// https://shop.example.com/return/"
    assert surrounded_by(monkeypatch, TALLYWATT_RETURN_URLS=listed).may_return_to(url) is allowed


# --- the files beside the code ------------------------------------------------------------------------------------

KNOWN = {setting_name(field) for field in Settings.model_fields}


@pytest.mark.parametrize("name", [".env.example", "compose.yaml", "Dockerfile"])
def test_only_settings_that_exist_are_named(name: str) -> None:
    named = set(re.findall(r"\b(?:TALLYWATT|ADYEN)_[A-Z_]+", (ROOT / name).read_text("utf-8")))
    assert named
    assert named <= KNOWN
