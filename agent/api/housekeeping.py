"""What the service does beside its requests: forgetting what is past its time, webhooks, following activations."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
from anyio import CapacityLimiter

from agent.api.context import AppContext
from agent.api.logs import where
from agent.api.tenants import Tenants
from agent.domain.clock import SystemClock
from agent.service.webhooks import WebhookDispatcher
from agent.store import Store, StoreError
from agent.store.data_folder import DataFolder
from agent.store.webhook_messages import of_models
from models.errors import ModelError
from models.registry.registry import ACTIVE

KEPT_FOR: Final = timedelta(hours=24)
GIVEN_UP_FOR: Final = timedelta(days=7)
_EVERY_S: Final = 3_600.0
_DELIVER_S: Final = 1.0
_LOOK_S: Final = 2.0


async def keep_house(tenants: Tenants, log: Any) -> None:
    """Forget old answers, and what is told of shoppers beyond its retention, now and every hour, until cancelled.

    A store that does not answer is asked again later; a merchant's is when it is open.
    """
    while True:
        for context in tenants.contexts():
            try:
                await _tidy(context)
            except StoreError as error:
                log.warning("housekeeping failed", error=where(error))
        await anyio.sleep(_EVERY_S)


async def _tidy(context: AppContext) -> None:
    now, days = datetime.now(UTC), context.settings.retention_days
    await context.run(context.opened.store.purge_idempotency, now - KEPT_FOR)
    await context.run(context.opened.store.purge_live_quotes, now)
    await context.run(context.opened.store.forget_given_up, now - GIVEN_UP_FOR)
    if days is not None:
        await context.run(context.opened.service.purge, now - timedelta(days=days))


async def follow_models(tenants: Tenants, log: Any) -> None:
    """Bring model versions into use soon after they are activated, until cancelled; a bad one is logged and left."""
    while True:
        await anyio.sleep(_LOOK_S)
        for context in tenants.contexts():
            await _follow(context, log)


async def deliver_webhooks(tenants: Tenants, log: Any) -> None:
    """Deliver what is due, again and again, until cancelled; failures are retried by the outbox's own clock."""
    waiter = CapacityLimiter(1)  # a receiver that answers slowly takes no thread from quotes
    couriers: dict[Store, WebhookDispatcher] = {}
    try:
        while True:
            stores = {context.opened.store: context.settings for context in tenants.contexts()}
            for gone in couriers.keys() - stores.keys():
                couriers.pop(gone).close()
            delivered = 0
            for store, settings in stores.items():
                if store not in couriers:
                    couriers[store] = WebhookDispatcher(store, SystemClock(), private=settings.webhooks_private)
                due = couriers[store].deliver_due
                try:
                    delivered += await anyio.to_thread.run_sync(due, limiter=waiter, abandon_on_cancel=True)
                except StoreError as error:
                    log.warning("webhooks wait for the store", error=where(error))
            await anyio.sleep(0 if delivered else _DELIVER_S)
    finally:
        for courier in couriers.values():
            courier.close()


async def _follow(context: AppContext, log: Any) -> None:
    try:
        found = await context.run(context.opened.service.reload)
    except (ModelError, StoreError, OSError) as error:
        log.error("new model versions refused; the old ones stay in use", reason=str(error))
    else:
        if found is not None:
            versions = {kind.value: version for kind, version in found.items()}
            log.info("model versions in use", **versions)
            await _tell_models(context, versions, log)


async def _tell_models(context: AppContext, versions: Mapping[str, str], log: Any) -> None:
    """Once for an activation, whichever processes notice it: the mark is made of the file that activated."""
    active = DataFolder(context.settings.data_dir).models / ACTIVE
    mark = hashlib.sha256(f"{active.stat().st_mtime_ns}{sorted(versions.items())}".encode()).hexdigest()[:32]
    now = datetime.now(UTC)
    try:
        await context.run(context.opened.store.tell, [of_models(versions, mark, now)], now)
    except StoreError as error:
        log.warning("an activation could not be told", error=where(error))
