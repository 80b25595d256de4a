"""Tenants: merchants with an open service, opened by the first request of their keys, closed by least recent use."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Final

from anyio import to_thread

from agent.api.batching import MicroBatcher
from agent.api.context import AnyRequest, AppContext
from agent.service.metrics import Metrics
from agent.service.service import Service
from agent.service.settings import DEFAULT_MERCHANT, Settings
from agent.service.worker_metrics import WorkerMetrics

TENANTS: Final = "tenants"
_LEASES: Final = "pricesmith.leases"


@dataclass(slots=True)
class Tenant:
    """An open merchant; `busy` counts the requests that use it."""

    context: AppContext
    busy: int = 0


class Tenants:
    """The open merchants. Used from the event loop alone; services open and close in worker threads."""

    def __init__(self, home: AppContext, limit: int) -> None:
        """`home` is the default merchant, always open; at most `limit` others stay open while idle."""
        self._home = Tenant(home)
        self._limit = limit
        self._open: OrderedDict[str, Tenant] = OrderedDict()
        self._turns: dict[str, asyncio.Lock] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def contexts(self) -> list[AppContext]:
        """Contexts of all open merchants, the default one first."""
        return [self._home.context, *(tenant.context for tenant in self._open.values())]

    async def lease(self, request: AnyRequest, merchant: str) -> AppContext:
        """Lease a merchant's context to a request, until `release_leases`; opens the merchant first if need be.

        Raises:
            MerchantError: The merchant is unknown or was removed.
        """
        tenant = self._home if merchant == DEFAULT_MERCHANT else await self._opened(merchant)
        tenant.busy += 1  # no await since it was looked up, so that nothing closed it
        request.scope.setdefault(_LEASES, []).append(tenant)  # type: ignore[typeddict-item]
        return tenant.context

    async def close(self) -> None:
        """Close every merchant but the default one."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        for merchant in list(self._open):
            await _shut(self._open.pop(merchant))

    async def _opened(self, merchant: str) -> Tenant:
        async with self._turns.setdefault(merchant, asyncio.Lock()):
            tenant = self._open.get(merchant)
            if tenant is None:
                tenant = self._open[merchant] = await self._open_now(merchant)
                closing = asyncio.create_task(self._close_least_used(keep=merchant))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            self._open.move_to_end(merchant)
            return tenant

    async def _open_now(self, merchant: str) -> Tenant:
        home = self._home.context
        if home.resources.open_merchant is None:
            raise RuntimeError("this app serves the default merchant alone")
        resources = await to_thread.run_sync(home.resources.open_merchant, merchant)
        batcher = MicroBatcher(resources.service.priced, limit=home.settings.queue_limit)
        workers = workers_of(home.settings, resources.service)
        return Tenant(replace(home, resources=resources, batcher=batcher, metrics=Metrics(), workers=workers))

    async def _close_least_used(self, keep: str) -> None:
        idle = [name for name, tenant in self._open.items() if not tenant.busy and name != keep]
        for merchant in idle[: max(0, len(self._open) - self._limit)]:
            async with self._turns[merchant]:  # requests for it wait until it is closed
                if not self._open[merchant].busy:
                    await _shut(self._open.pop(merchant))


def release_leases(scope: Any) -> Metrics | None:
    """End a request's leases; returns the metrics of its merchant, None without a valid key."""
    leases: list[Tenant] = scope.pop(_LEASES, [])
    for tenant in leases:
        tenant.busy -= 1
    return leases[0].context.metrics if leases else None


def tenants_of(request: AnyRequest) -> Tenants:
    """The tenants of the app that received a request."""
    found: Tenants = request.app.state[TENANTS]
    return found


def workers_of(settings: Settings, service: Service) -> WorkerMetrics | None:
    """Metrics of all processes that serve a merchant; None where this one serves alone."""
    return WorkerMetrics(service.folder.workers) if settings.workers > 1 else None


async def _shut(tenant: Tenant) -> None:
    await tenant.context.batcher.close()
    if tenant.context.workers is not None:
        await to_thread.run_sync(tenant.context.workers.close)
    await to_thread.run_sync(tenant.context.service.close)
