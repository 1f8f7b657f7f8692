"""The service's pool of connections, observed: its figures, and who holds what from which line, for the operator."""

import asyncio
import os
from contextvars import ContextVar
from pathlib import Path

from prometheus_client import CollectorRegistry
from starlette.types import Scope

from app.api.exposition import FOLDER_VARIABLE
from app.core.database import APPLICATION, Database
from app.core.pool_metrics import PoolMetrics
from app.core.redis import Keys
from app.core.settings import Settings
from app.core.tenancy import working_for
from dbvitals.observe import metrics, workers
from dbvitals.observe.pool import observe_pool
from dbvitals.observe.registry import Labels
from dbvitals.snapshot_pool import PoolObservation

NAME = "service"
# Every connection is taken through these: they are no answer to who took one.
PLUMBING = ("app.core.database", "app.db.identifiers", "app.api.bodies", "app.api.traffic")
HASH_LENGTH = 12

request_scope: ContextVar[Scope | None] = ContextVar("request_scope", default=None)
"""The request that is being served."""


class Pools:
    """Observes the engine of one process. With several workers, each keeps what it knows where all can read it."""

    def __init__(self, registry: CollectorRegistry, database: Database, settings: Settings, keys: Keys) -> None:
        """Give it a database that has no connection yet."""
        folder = os.environ.get(FOLDER_VARIABLE)
        self._folder = Path(folder) if folder else None
        self._keys = keys
        self._times = metrics.PoolMetrics(registry)
        self.observer = observe_pool(
            database.engine,
            application=APPLICATION,
            name=NAME,
            packages=("app",),
            plumbing=PLUMBING,
            labels=self._labels,
            listener=self._times.listener(NAME),
        )
        self._gauges = PoolMetrics(registry, self.observer, settings.postgres_pool_size, settings.postgres_max_overflow)

    async def refresh(self) -> None:
        """Show what is the case now, in the metrics and to the other workers."""
        self._gauges.refresh()
        self._times.refresh(self.observer)
        if self._folder is not None:
            await asyncio.to_thread(workers.publish, self._folder, self.observer.observation())

    async def observations(self) -> list[PoolObservation]:
        """What every worker knows of its pool."""
        if self._folder is None:
            return [self.observer.observation()]
        await self.refresh()
        return await asyncio.to_thread(workers.published, self._folder)

    def _labels(self) -> Labels:
        """For which route and which tenant a connection is taken; the tenant as a keyed hash, which tells no name."""
        asked, tenant = request_scope.get(), working_for.get()
        route = getattr(asked.get("route"), "path", None) if asked else None
        return Labels(
            route=f"{asked['method']} {route}" if asked and route else None,
            tenant_hash=self._keys.digest("tenant", str(tenant.tenant_id))[:HASH_LENGTH] if tenant else None,
        )
