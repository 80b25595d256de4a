"""The merchants whose services are open: opened by the first request of their keys, the least used closed again."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from anyio import to_thread
from litestar import Request

from agent.api.batching import MicroBatcher
from agent.api.context import AppContext, Opened
from agent.api.metrics import Metrics
from agent.service.settings import DEFAULT_MERCHANT

TENANTS: Final = "tenants"
_LEASES: Final = "pricesmith.leases"

OpenMerchant = Callable[[str], Opened]


@dataclass(slots=True)
class Tenant:
    """One open merchant; `busy` requests are using it."""

    context: AppContext
    busy: int = 0


class Tenants:
    """Lives on the event loop; services open and close in threads."""

    def __init__(self, home: AppContext, limit: int) -> None:
        """`home` is the default merchant, open for good; up to `limit` others are open beside it while idle."""
        self._home = Tenant(home)
        self._limit = limit
        self._open: OrderedDict[str, Tenant] = OrderedDict()
        self._turns: dict[str, asyncio.Lock] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def contexts(self) -> list[AppContext]:
        """Everything open."""
        return [self._home.context, *(tenant.context for tenant in self._open.values())]

    async def lease(self, request: Request[Any, Any, Any], merchant: str) -> AppContext:
        """A merchant's parts for the time of a request; `give_back` ends it.

        Raises:
            MerchantError: There is no such merchant.
        """
        tenant = self._home if merchant == DEFAULT_MERCHANT else await self._opened(merchant)
        tenant.busy += 1  # nothing is awaited in between: nobody can close it
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
        if home.opened.open_merchant is None:
            raise RuntimeError("this app knows the default merchant alone")
        opened = await to_thread.run_sync(home.opened.open_merchant, merchant)
        batcher = MicroBatcher(opened.service.quote, limit=home.settings.queue_limit)
        return Tenant(replace(home, opened=opened, batcher=batcher, metrics=Metrics()))

    async def _close_least_used(self, keep: str) -> None:
        idle = [name for name, tenant in self._open.items() if not tenant.busy and name != keep]
        for merchant in idle[: max(0, len(self._open) - self._limit)]:
            async with self._turns[merchant]:  # who asks for it meanwhile waits until it is closed
                if not self._open[merchant].busy:
                    await _shut(self._open.pop(merchant))


def give_back(scope: Any) -> Metrics | None:
    """End a request's leases; the metrics of the merchant whose request it was, None when it was nobody's."""
    leases: list[Tenant] = scope.pop(_LEASES, [])
    for tenant in leases:
        tenant.busy -= 1
    return leases[0].context.metrics if leases else None


def tenants_of(request: Request[Any, Any, Any]) -> Tenants:
    """The app's merchants, from any request."""
    found: Tenants = request.app.state[TENANTS]
    return found


async def _shut(tenant: Tenant) -> None:
    await tenant.context.batcher.close()
    await to_thread.run_sync(tenant.context.opened.service.close)
