from __future__ import annotations

import concurrent.futures
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy.engine import make_url

from api.settings import BadSettings, Environment, LogFormat, Settings, setting_name

ROOT = Path(__file__).parents[2]
CANARY = "canary-0123456789-0123456789-0123456789"
SOUND = {
    "TALLYWATT_ENVIRONMENT": "production",
    "TALLYWATT_DATABASE_URL": f"postgresql://tallywatt:{CANARY}@postgres/tallywatt",
    "TALLYWATT_REDIS_URL": f"redis://:{CANARY}@valkey:6379/0",
    "TALLYWATT_PUBLIC_URL": "https://charging.example.com",
    "TALLYWATT_SIGNING_SECRET": CANARY,
    "TALLYWATT_JWKS_URL": "https://login.example.com/jwks.json",
    "TALLYWATT_JWT_ISSUER": "https://login.example.com/",
    "ADYEN_ENVIRONMENT": "live",
    "ADYEN_LIVE_PREFIX": "1797a841fbb37ca7-Tallywatt",
    "ADYEN_API_KEY": CANARY,
    "ADYEN_MERCHANT_ACCOUNT": "TallywattECOM",
    "ADYEN_HMAC_KEY": "ab" * 32,
    "ADYEN_WEBHOOK_USER": "adyen",
    "ADYEN_WEBHOOK_PASSWORD": CANARY,
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("TALLYWATT_", "ADYEN_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def surrounded_by(monkeypatch: pytest.MonkeyPatch, *, without: str = "", **variables: str) -> Settings:
    for name, value in variables.items():
        if name != without:
            monkeypatch.setenv(name, value)
    return Settings.from_environment()


def refused(monkeypatch: pytest.MonkeyPatch, *, without: str = "", **variables: str) -> str:
    with pytest.raises(BadSettings) as caught:
        surrounded_by(monkeypatch, without=without, **variables)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


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


def test_sound_settings_of_production_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = surrounded_by(monkeypatch, **SOUND)
    assert settings.is_production
    assert not settings.graphiql
    assert settings.return_urls == ("https://charging.example.com/",)
    assert settings.adyen_base_url is None
    assert settings.adyen_token_hmac_keys == ()
    assert list(tmp_path.iterdir()) == [], "production makes no secrets"


def test_no_secret_is_in_what_settings_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = surrounded_by(monkeypatch, **SOUND)
    assert not re.search("canary|abab", f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}")


def test_every_problem_of_production_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused(
        monkeypatch,
        TALLYWATT_ENVIRONMENT="production",
        TALLYWATT_REDIS_URL="redis://valkey",
        TALLYWATT_GRAPHIQL="true",
        TALLYWATT_PUBLIC_URL="http://charging.example.com",
        ADYEN_BASE_URL="http://127.0.0.1:8010",
    )
    assert told.split("; ") == [
        "TALLYWATT_SIGNING_SECRET is missing",
        "ADYEN_API_KEY is missing",
        "ADYEN_HMAC_KEY is missing",
        "ADYEN_WEBHOOK_USER is missing",
        "ADYEN_WEBHOOK_PASSWORD is missing",
        "TALLYWATT_JWKS_URL is missing: tokens would be signed by a development key",
        "TALLYWATT_JWT_ISSUER must be an https URL",
        "TALLYWATT_PUBLIC_URL must be an https URL",
        "TALLYWATT_RETURN_URLS must be https URLs, or schemes of apps",
        "ADYEN_BASE_URL names the stand-in, which takes no money",
        "TALLYWATT_GRAPHIQL must be off",
        "TALLYWATT_DATABASE_URL is SQLite, and TALLYWATT_REDIS_URL is for several processes",
    ]


NEEDED = SOUND.keys() - {"TALLYWATT_ENVIRONMENT", "TALLYWATT_REDIS_URL", "ADYEN_ENVIRONMENT"}


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_production_needs(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert name in refused(monkeypatch, without=name, **SOUND)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TALLYWATT_SIGNING_SECRET", "short"),
        ("TALLYWATT_SIGNING_SECRET", "development-only-" + "0" * 64),
        ("ADYEN_API_KEY", "development-only-" + "0" * 64),
        ("ADYEN_WEBHOOK_PASSWORD", "short"),
        ("ADYEN_BASE_URL", "http://127.0.0.1:8010"),
        ("TALLYWATT_GRAPHIQL", "true"),
        ("TALLYWATT_PUBLIC_URL", "http://charging.example.com"),
        ("TALLYWATT_JWT_ISSUER", "http://login.example.com"),
        ("TALLYWATT_RETURN_URLS", "tallywatt:// http://127.0.0.1/"),
        ("TALLYWATT_DATABASE_URL", "sqlite:///var/tallywatt.sqlite3"),
    ],
)
def test_production_refuses(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert refused(monkeypatch, **SOUND | {name: value}).startswith(name)


def test_one_process_may_run_on_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = SOUND | {"TALLYWATT_DATABASE_URL": "sqlite:////data/tallywatt.sqlite3"}
    assert surrounded_by(monkeypatch, without="TALLYWATT_REDIS_URL", **variables).is_production


def test_adyen_test_may_run_in_production_as_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = SOUND | {"ADYEN_ENVIRONMENT": "test"}
    assert surrounded_by(monkeypatch, without="ADYEN_LIVE_PREFIX", **rehearsal).adyen_base_url is None


def test_real_money_is_for_production_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ADYEN_ENVIRONMENT" in refused(monkeypatch, without="TALLYWATT_ENVIRONMENT", **SOUND)


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


# --- secrets ------------------------------------------------------------------------------------------------------


def test_secrets_may_come_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{CANARY}\n")
    settings = surrounded_by(monkeypatch, TALLYWATT_SIGNING_SECRET_FILE=str(tmp_path / "secret"))
    assert settings.signing_secret.get_secret_value() == CANARY
    both = surrounded_by(monkeypatch, TALLYWATT_SIGNING_SECRET="x" * 40)
    assert both.signing_secret.get_secret_value() == "x" * 40


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = refused(monkeypatch, ADYEN_API_KEY_FILE=f"/nowhere/{CANARY}")
    assert told == "ADYEN_API_KEY_FILE names a file that cannot be read"


def test_development_makes_its_secrets_once(tmp_path: Path) -> None:
    first, again = Settings.from_environment(), Settings.from_environment()
    assert first == again
    made = {path.name: path for path in (tmp_path / "var").iterdir()}
    assert made.keys() == {
        "adyen-api-key",
        "adyen-hmac-key",
        "adyen-token-hmac-key",
        "adyen-webhook-password",
        "signing-secret",
    }
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o600}
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert len({path.read_bytes() for path in made.values()}) == len(made)
    assert [len(key) for key in first.adyen_hmac_keys] == [32]


def test_processes_that_start_at_once_make_the_same_secrets(tmp_path: Path) -> None:
    script = "from api.settings import Settings; print(Settings().signing_secret.get_secret_value())"

    def started(_: int) -> str:
        command = [sys.executable, "-c", script]
        environment = {"PYTHONPATH": str(ROOT), "TALLYWATT_VAR": str(tmp_path / "var")}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(started, range(4)))) == 1
    assert not [path for path in (tmp_path / "var").iterdir() if path.name.startswith(".")]


def test_a_key_made_here_goes_to_the_stand_in_only(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Settings.from_environment()
    assert (made.adyen_base_url, made.adyen_merchant_account) == ("http://127.0.0.1:8010", "TallywattDevelopment")
    own = surrounded_by(monkeypatch, ADYEN_API_KEY="AQE-own", ADYEN_MERCHANT_ACCOUNT="Own")
    assert (own.adyen_base_url, own.adyen_merchant_account) == (None, "Own")


def test_a_previous_key_counts_while_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = surrounded_by(monkeypatch, ADYEN_HMAC_KEY="ab" * 32, ADYEN_HMAC_KEY_PREVIOUS="CD" * 32)
    assert settings.adyen_hmac_keys == (b"\xab" * 32, b"\xcd" * 32)


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


def test_the_example_filled_in_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    database = {"TALLYWATT_DATABASE_URL": SOUND["TALLYWATT_DATABASE_URL"]}
    filled = {name: value or SOUND.get(name, "") for name, value in pairs.items()}
    assert surrounded_by(monkeypatch, **filled | database).is_production
    for name, value in pairs.items():
        if not value and name in SOUND:
            monkeypatch.delenv(name)
    with pytest.raises(BadSettings):
        Settings.from_environment()


def test_a_secret_is_never_plain_text() -> None:
    telling = re.compile("secret|password|api_key|hmac|database_url|redis_url")
    for name, field in Settings.model_fields.items():
        assert not telling.search(name) or "SecretStr" in str(field.annotation), name
    assert isinstance(Settings.from_environment().signing_secret, SecretStr)
