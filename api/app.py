"""The process put together: opens the store, assembles the services, mounts the doors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import column, select, table
from sqlalchemy.exc import DatabaseError, DBAPIError
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

import migrations
from api import adyen_webhooks, ocpi, playground
from api.adyen import AdyenAccount, AdyenGateway
from api.adyen_webhooks import WebhookAccount
from api.askers import Askers
from api.auth import Verifier
from api.graphql import Gateway
from api.health import Check
from api.keys import Keys
from api.logs import RequestId
from api.ocpi.client import OcpiControl
from api.redis_feed import RedisFeed
from api.settings import Settings
from api.worker import Worker
from domain.clock import Clock, SystemClock
from domain.database import Database
from domain.errors import TryAgain
from domain.services import Services, assemble
from domain.sessions import Feed, InProcessFeed
from resolvers import schema

ISSUER = "Tallywatt"


class StaleStore(Exception):
    """The store is not at the revision that this code needs."""


class StoreAway(Exception):
    """The store does not answer, or is none."""

    def __init__(self, why: object) -> None:
        super().__init__(f"The store at TALLYWATT_DATABASE_URL cannot be opened: {why}.")


@dataclass(frozen=True)
class House:
    """Everything that a process holds open."""

    settings: Settings
    services: Services
    keys: Keys
    clock: Clock
    checks: dict[str, Check]


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[House]:
    """The services over the store, feed and lines that the settings name. Raises StaleStore, StoreAway."""
    clock = SystemClock()
    keys = Keys(settings.signing_secret.get_secret_value().encode())
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url.get_secret_value())
        stack.push_async_callback(database.close)
        await _check_revision(database)
        feed: Feed = InProcessFeed()
        checks: dict[str, Check] = {"store": lambda: _check_revision(database)}
        if settings.redis_url is not None:
            redis = RedisFeed(settings.redis_url.get_secret_value())
            feed, checks["redis"] = redis, redis.ping
        stack.push_async_callback(feed.close)
        gateway = AdyenGateway(_account(settings))
        stack.callback(gateway.close)
        control = OcpiControl(keys, settings.public_url, clock, issuer=ISSUER)
        stack.push_async_callback(control.close)
        yield House(settings, assemble(database, feed, gateway, control, clock), keys, clock, checks)


def upgrade(settings: Settings) -> None:
    """Bring the store to the newest revision; not inside a running loop. Raises StoreAway, UnknownRevision."""
    try:
        migrations.upgrade(settings.database_url.get_secret_value())
    except DBAPIError as error:
        raise StoreAway(error.orig) from None
    except OSError as error:
        raise StoreAway(error.strerror or error) from None


def create_app(house: House, tabs: Sequence[playground.Tab] = ()) -> Starlette:
    """The doors of one process. Without Redis this is the only process, so it does the worker's chores, too."""
    settings, services = house.settings, house.services
    verifier = Verifier(settings, house.clock)
    askers = Askers(services, verifier, house.keys, settings)
    gateway = Gateway(
        schema.build(introspection=not settings.is_production),
        askers,
        house.clock,
        most_bytes=settings.max_body_bytes,
        origins=(settings.public_url,),
    )
    worker = Worker(services, settings.operator_id)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        chores = None if settings.redis_url is not None else asyncio.create_task(worker.run())
        yield
        if chores is not None:
            chores.cancel()
            with suppress(asyncio.CancelledError):
                await chores
        await verifier.close()

    app = Starlette(
        routes=[
            Route("/graphql", gateway),
            WebSocketRoute("/graphql", gateway),
            *_webhooks(house, worker.wake),
            *ocpi.routes(services, settings.operator_id, house.keys, settings.public_url),
            *(playground.routes(tabs) if settings.graphiql else ()),
        ],
        lifespan=lifespan,
    )
    app.add_middleware(RequestId)
    return app


def _webhooks(house: House, wake: Callable[[], None]) -> list[BaseRoute]:
    settings = house.settings
    account = WebhookAccount(
        user=settings.adyen_webhook_user,
        password=settings.adyen_webhook_password.get_secret_value(),
        hmac_keys=tuple(key.hex() for key in settings.adyen_hmac_keys),
    )
    return adyen_webhooks.routes(house.services.inbox, settings.operator_id, account, wake)


def _account(settings: Settings) -> AdyenAccount:
    return AdyenAccount(
        api_key=settings.adyen_api_key.get_secret_value(),
        merchant_account=settings.adyen_merchant_account,
        environment=settings.adyen_environment.value,
        live_prefix=settings.adyen_live_prefix,
        base_url=settings.adyen_base_url,
        theme_id=settings.adyen_theme_id,
    )


_revisions = table("alembic_version", column("version_num"))


async def _check_revision(database: Database) -> None:
    needed = migrations.newest()
    try:
        async with database.read() as reader:
            found = await reader.scalar(select(_revisions.c.version_num))
    except DatabaseError:
        found = None
    except DBAPIError as error:
        raise StoreAway(error.orig) from None
    except TryAgain as error:
        raise StoreAway("it does not answer") from error
    if found != needed:
        raise StaleStore(f"The store is at revision {found or 'none'}, {needed} is needed: run `tallywatt db upgrade`.")
