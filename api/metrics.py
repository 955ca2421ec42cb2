"""Figures for whoever watches: `/metrics` on the internal port, in Prometheus' text format.

Each figure is read when it is asked for; nothing is counted that nobody looks at.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from domain.ids import OperatorId
from domain.services import Services


class Metrics:
    """The figures of one process."""

    def __init__(self, services: Services, operator: OperatorId) -> None:
        self._services = services
        self._operator = operator
        self._registry = CollectorRegistry()
        self._sound = self._gauge(
            "tallywatt_audit_last_sound_timestamp_seconds", "When the auditor last found nothing; 0 if not yet here."
        )
        self._broken = self._gauge("tallywatt_audit_broken_checks", "Checks that found a contradiction, last time.")
        self._frozen = self._gauge("tallywatt_wallets_frozen", "Wallets that wait until somebody has looked.")
        self._unsealed = self._gauge(
            "tallywatt_ledger_unsealed_oldest_seconds", "Age of the oldest posting that the chain does not cover yet."
        )

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(name, says, registry=self._registry)

    async def text(self) -> bytes:
        """All of them, now."""
        auditor = self._services.auditor
        self._sound.set(auditor.last_sound_at.timestamp() if auditor.last_sound_at is not None else 0)
        self._broken.set(len(auditor.broken))
        self._frozen.set(await auditor.frozen(self._operator))
        self._unsealed.set((await self._services.sealer.oldest_unsealed(self._operator)).total_seconds())
        return generate_latest(self._registry)

    def route(self) -> Route:
        """Where they are told."""

        async def metrics(_: Request) -> Response:
            return Response(await self.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

        return Route("/metrics", metrics)
