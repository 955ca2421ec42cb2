"""The payment stand-in as a process of its own, told by our settings what it must know."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from api.settings import BadSettings, Settings

COMMAND = (sys.executable, "-m", "simulators.adyen")


def environment(settings: Settings) -> dict[str, str]:
    """What it reads: where it listens, where its webhooks go, what proves them. Raises BadSettings."""
    if settings.is_production:
        raise BadSettings(["TALLYWATT_ENVIRONMENT is production: the stand-in takes no real money"])
    if settings.adyen_base_url is None:
        raise BadSettings(["ADYEN_API_KEY is set: payments go to Adyen, so unset it or set ADYEN_BASE_URL"])
    where = urlsplit(settings.adyen_base_url)
    previous = settings.adyen_hmac_key_previous
    return {
        "STANDIN_BIND": f"{where.hostname or '127.0.0.1'}:{where.port or 80}",
        "STANDIN_WEBHOOK_URL": f"{settings.public_url}/webhooks/adyen",
        "STANDIN_TOKEN_WEBHOOK_URL": f"{settings.public_url}/webhooks/adyen/tokens",
        "STANDIN_WEBHOOK_USER": settings.adyen_webhook_user,
        "STANDIN_WEBHOOK_PASSWORD": settings.adyen_webhook_password.get_secret_value(),
        "STANDIN_HMAC_KEY": settings.adyen_hmac_key.get_secret_value(),
        "STANDIN_HMAC_KEY_PREVIOUS": previous.get_secret_value() if previous else "",
        "STANDIN_TOKEN_HMAC_KEY": settings.adyen_token_hmac_key.get_secret_value(),
        "STANDIN_API_KEY": settings.adyen_api_key.get_secret_value(),
        "STANDIN_MERCHANT_ACCOUNT": settings.adyen_merchant_account,
        "STANDIN_BOOKS": str(settings.var / "adyen-stand-in.sqlite3"),
    }


def become(settings: Settings, words: Sequence[str]) -> None:
    """Turn this process into the stand-in; its own options in `words` outrank our settings. Raises BadSettings."""
    known = environment(settings)
    settings.var.mkdir(parents=True, exist_ok=True)
    os.execve(COMMAND[0], [*COMMAND, *words], os.environ | known)  # noqa: S606  no shell is wanted
