"""Settings: read once from the environment, frozen, and refused when production would not be safe with them.

`TALLYWATT_*` names everything but Adyen, `ADYEN_*` names Adyen; `NAME_FILE` may name a file that holds the value. In
development what is secret and not set is made once and kept in `TALLYWATT_VAR`, the same for every process.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from api.keys import kept_once
from api.setting_values import (
    DatabaseUrl,
    HmacKey,
    HostAndPort,
    HttpsUrl,
    Origin,
    RedisUrl,
    ReturnUrls,
    StandInUrl,
    is_loopback,
)
from domain.ids import OperatorId

HOME_OPERATOR = OperatorId(UUID("01900000-0000-7000-8000-000000000001"))
DEVELOPMENT_ISSUER = "tallywatt-development"
STAND_IN = "http://127.0.0.1:8010"
SHORTEST_SECRET = 32
"""Characters of a secret of our own choosing, at least."""

_MADE_HERE = "development-only-"
_NEEDED = (
    "signing_secret",
    "adyen_api_key",
    "adyen_merchant_account",
    "adyen_hmac_key",
    "adyen_webhook_user",
    "adyen_webhook_password",
)
_CHOSEN_BY_US = {"signing_secret", "adyen_webhook_password"}


class Environment(StrEnum):
    """How much is forgiven."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class AdyenEnvironment(StrEnum):
    """Whose money it is: nobody's, or the drivers'."""

    TEST = "test"
    LIVE = "live"


class LogFormat(StrEnum):
    """For machines, or for eyes."""

    JSON = "json"
    CONSOLE = "console"


class BadSettings(Exception):
    """The product does not start. Each problem begins with the name of its setting; none quotes a value."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def setting_name(field: str) -> str:
    """The environment variable behind a field of Settings."""
    return field.upper() if field.startswith("adyen_") else f"TALLYWATT_{field.upper()}"


def _in_development(data: dict[str, Any]) -> bool:
    return data.get("environment") == Environment.DEVELOPMENT


def _kept(name: str, prefix: str = _MADE_HERE) -> Callable[[dict[str, Any]], SecretStr]:
    """The default of a secret: one that is made here and kept; in production none."""

    def default(data: dict[str, Any]) -> SecretStr:
        if not _in_development(data) or "var" not in data:
            return SecretStr("")
        return SecretStr(kept_once(data["var"] / name, f"{prefix}{secrets.token_hex(32)}".encode).decode())

    return default


def _made_here(secret: SecretStr | None) -> bool:
    return secret is not None and secret.get_secret_value().startswith(_MADE_HERE)


class _Files(PydanticBaseSettingsSource):
    """Values from the files that `NAME_FILE` variables name, as container platforms hand out secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError(f"{field_name}, {field}: all are read at once")

    def __call__(self) -> dict[str, Any]:
        names = map(setting_name, self.settings_cls.model_fields)
        return {name: self._read(f"{name}_FILE") for name in names if os.environ.get(f"{name}_FILE")}

    def _read(self, name: str) -> str:
        try:
            return Path(os.environ[name]).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeError):
            raise BadSettings([f"{name} names a file that cannot be read"]) from None


class Settings(BaseSettings):
    """Every setting. A secret that is empty is missing; that happens in no process that has started."""

    model_config = SettingsConfigDict(
        alias_generator=setting_name,
        case_sensitive=True,
        env_ignore_empty=True,
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    environment: Environment = Environment.DEVELOPMENT
    var: Path = Path("var")
    database_url: DatabaseUrl = Field(
        default_factory=lambda data: SecretStr(f"sqlite+aiosqlite:///{data.get('var', 'var')}/tallywatt.sqlite3")
    )
    redis_url: RedisUrl | None = None
    bind_host: str = "127.0.0.1"
    bind_port: int = Field(default=8000, ge=0, le=65535)
    health_bind: HostAndPort = "127.0.0.1:9090"
    public_url: Origin = Field(default_factory=lambda data: f"http://127.0.0.1:{data.get('bind_port', 8000)}")
    return_urls: ReturnUrls = Field(
        default_factory=lambda data: (f"{data['public_url']}/",) if "public_url" in data else ()
    )
    max_body_bytes: int = Field(default=1_000_000, ge=1_000, le=10_000_000)
    graphiql: bool = Field(default_factory=lambda data: _in_development(data) and is_loopback(data["bind_host"]))
    log_format: LogFormat = LogFormat.JSON
    operator_id: OperatorId = HOME_OPERATOR

    signing_secret: SecretStr = Field(default_factory=_kept("signing-secret"))
    jwks_url: HttpsUrl | None = None
    jwt_issuer: str = DEVELOPMENT_ISSUER
    jwt_audience: str = "tallywatt"
    jwt_type: Literal["at+jwt", "JWT"] = "at+jwt"

    adyen_environment: AdyenEnvironment = AdyenEnvironment.TEST
    adyen_api_key: SecretStr = Field(default_factory=_kept("adyen-api-key"))
    adyen_base_url: StandInUrl | None = Field(
        default_factory=lambda data: (
            STAND_IN if _in_development(data) and _made_here(data.get("adyen_api_key")) else None
        )
    )
    adyen_live_prefix: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,100}$")
    adyen_merchant_account: str = Field(
        default_factory=lambda data: "TallywattDevelopment" if data.get("adyen_base_url") else ""
    )
    adyen_client_key: str | None = None
    adyen_theme_id: str | None = None
    adyen_hmac_key: HmacKey = Field(default_factory=_kept("adyen-hmac-key", prefix=""))
    adyen_hmac_key_previous: HmacKey | None = None
    adyen_token_hmac_key: HmacKey = Field(default_factory=_kept("adyen-token-hmac-key", prefix=""))
    adyen_token_hmac_key_previous: HmacKey | None = None
    adyen_webhook_user: str = Field(default_factory=lambda data: "tallywatt" if _in_development(data) else "")
    adyen_webhook_password: SecretStr = Field(default_factory=_kept("adyen-webhook-password"))

    @classmethod
    def from_environment(cls) -> Self:
        """The settings of this process. Raises BadSettings with every problem at once."""
        try:
            return cls()
        except ValidationError as error:
            told = [each for each in error.errors() if each["type"] != "default_factory_not_called"]
        raise BadSettings([f"{(*each['loc'], '')[0]}: {each['msg'].removeprefix('Value error, ')}" for each in told])

    @property
    def is_production(self) -> bool:
        """Whether nothing is forgiven."""
        return self.environment == Environment.PRODUCTION

    @property
    def adyen_hmac_keys(self) -> tuple[bytes, ...]:
        """The keys that a webhook may be signed with today: the current one, and the previous while it is set."""
        return _keys(self.adyen_hmac_key, self.adyen_hmac_key_previous)

    @property
    def adyen_token_hmac_keys(self) -> tuple[bytes, ...]:
        """The same for the webhooks about stored cards; none if there are no such webhooks."""
        return _keys(self.adyen_token_hmac_key, self.adyen_token_hmac_key_previous)

    def may_return_to(self, url: str) -> bool:
        """Whether a browser may be sent to this address after a payment."""
        return url.startswith(self.return_urls) and url.isascii() and url.isprintable() and "\\" not in url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is handed over counts first, then the environment, then the files it names."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _Files(settings_cls)

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if problems := _problems(self):
            raise BadSettings(problems)
        return self


def _keys(*given: SecretStr | None) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(key.get_secret_value()) for key in given if key and key.get_secret_value())


def _problems(settings: Settings) -> list[str]:
    """Everything that keeps these settings from being used."""
    live = settings.adyen_environment == AdyenEnvironment.LIVE
    checks: list[tuple[object, str]] = [
        (live and not settings.is_production, "ADYEN_ENVIRONMENT is live: TALLYWATT_ENVIRONMENT must be production"),
        (live and not settings.adyen_live_prefix, "ADYEN_LIVE_PREFIX is missing"),
        (live and settings.adyen_base_url, "ADYEN_BASE_URL names the stand-in, and ADYEN_ENVIRONMENT is live"),
    ]
    if settings.is_production:
        checks += [*_secrets_of_production(settings), *_rules_of_production(settings)]
    return [problem for applies, problem in checks if applies]


def _secrets_of_production(settings: Settings) -> Iterator[tuple[object, str]]:
    for field in _NEEDED:
        name, value = setting_name(field), getattr(settings, field)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        yield not text, f"{name} is missing"
        yield text.startswith(_MADE_HERE), f"{name} was made for development"
        short = field in _CHOSEN_BY_US and 0 < len(text) < SHORTEST_SECRET
        yield short, f"{name} has fewer than {SHORTEST_SECRET} characters"


def _rules_of_production(settings: Settings) -> list[tuple[object, str]]:
    several_on_sqlite = settings.redis_url and settings.database_url.get_secret_value().startswith("sqlite")
    to_plain_http = any(url.startswith("http://") for url in settings.return_urls)
    stand_in = settings.adyen_base_url and settings.adyen_environment == AdyenEnvironment.TEST
    return [
        (not settings.jwks_url, "TALLYWATT_JWKS_URL is missing: tokens would be signed by a development key"),
        (not settings.jwt_issuer.startswith("https://"), "TALLYWATT_JWT_ISSUER must be an https URL"),
        (not settings.public_url.startswith("https://"), "TALLYWATT_PUBLIC_URL must be an https URL"),
        (to_plain_http, "TALLYWATT_RETURN_URLS must be https URLs, or schemes of apps"),
        (stand_in, "ADYEN_BASE_URL names the stand-in, which takes no money"),
        (settings.graphiql, "TALLYWATT_GRAPHIQL must be off"),
        (several_on_sqlite, "TALLYWATT_DATABASE_URL is SQLite, and TALLYWATT_REDIS_URL is for several processes"),
    ]
