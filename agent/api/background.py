"""Background tasks: following the store and model versions, deletion of expired data, webhook delivery."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from time import monotonic, perf_counter
from typing import Any, Final

import anyio
from anyio import CapacityLimiter

from agent.api.context import AppContext
from agent.api.logs import where
from agent.api.tenants import Tenants
from agent.domain.clock import SystemClock
from agent.service.jobs import KEPT_FOR as JOBS_KEPT_FOR
from agent.service.webhooks import WebhookDispatcher
from agent.store import Store, StoreError
from agent.store.data_folder import DataFolder
from agent.store.webhook_messages import of_models
from models.errors import ModelError
from models.registry.registry import ACTIVE

KEPT_FOR: Final = timedelta(hours=24)
"""Retention of answers under idempotency keys."""
GIVEN_UP_FOR: Final = timedelta(days=7)
"""Retention of webhook messages that are not tried any more."""
_PURGE_S: Final = 3_600.0
_LEAD_S: Final = 30.0
_DELIVER_S: Final = 1.0
_FOLLOW_S: Final = 2.0
_FOLLOW_STORE_S: Final = 0.4
_PUBLISH_S: Final = 2.0
_KEEP_S: Final = 0.005
_IDLE_S: Final = 0.25


async def purge_expired(tenants: Tenants, log: Any) -> None:
    """Delete expired rows, and personal data beyond its retention, now and every hour until cancelled.

    Covers the merchants that are open here and led by this process. A store that does not answer is tried again an
    hour later.
    """
    purged: dict[Store, float] = {}
    while True:
        for context in tenants.contexts():
            since = purged.get(context.store)
            if (since is not None and monotonic() - since < _PURGE_S) or not context.service.leads():
                continue
            purged[context.store] = monotonic()
            try:
                await _purge(context)
            except StoreError as error:
                log.warning("housekeeping failed", error=where(error))
        purged = {store: at for store, at in purged.items() if store in {one.store for one in tenants.contexts()}}
        await anyio.sleep(_LEAD_S)


async def _purge(context: AppContext) -> None:
    now, days = datetime.now(UTC), context.settings.retention_days
    await context.run(context.store.purge_idempotency, now - KEPT_FOR)
    await context.run(context.store.purge_live_quotes, now)
    await context.run(context.store.purge_given_up, now - GIVEN_UP_FOR)
    await context.run(context.store.purge_jobs, now - JOBS_KEPT_FOR)
    if days is not None:
        await context.run(context.service.purge, now - timedelta(days=days))


async def follow_models(tenants: Tenants, log: Any) -> None:
    """Switch to model versions soon after they are activated, until cancelled; a version that fails is logged."""
    while True:
        await anyio.sleep(_FOLLOW_S)
        for context in tenants.contexts():
            await _follow(context, log)


async def follow_store(tenants: Tenants, log: Any) -> None:
    """Bring memory up to what other processes stored, within half a second, until cancelled.

    What fails is logged and tried again; a store that stays away is logged once.
    """
    failing: set[Store] = set()
    while True:
        await anyio.sleep(_FOLLOW_STORE_S)
        for context in tenants.contexts():
            try:
                found = await context.run(context.service.follow)
            except Exception as error:  # the loop must outlive any failure, or this process would never follow again
                if context.store not in failing:
                    log.warning("changes in the store could not be followed; trying again", error=where(error))
                failing.add(context.store)
            else:
                failing.discard(context.store)
                if found.anything:
                    log.info("followed the store", **asdict(found))


async def keep_shoppers(tenants: Tenants, log: Any) -> None:
    """Work out what quotes need of products and shoppers ahead of them, a quarter of the time at most, until cancelled.

    A store that stays away is logged once.
    """
    failing: set[Store] = set()
    while True:
        began_s, busy = perf_counter(), False
        for context in tenants.contexts():
            try:
                busy |= await context.run(context.service.keep_products)
                busy |= await context.run(context.service.keep_shopper)
            except Exception as error:  # the loop must outlive any failure, or quotes would be slow from then on
                if context.store not in failing:
                    log.warning("memory of shoppers could not be kept; trying again", error=where(error))
                failing.add(context.store)
            else:
                failing.discard(context.store)
        await anyio.sleep(max(_KEEP_S, 3 * (perf_counter() - began_s)) if busy else _IDLE_S)


async def deliver_webhooks(tenants: Tenants, log: Any) -> None:
    """Deliver due messages of merchants that this process leads, until cancelled; the outbox schedules retries."""
    limiter = CapacityLimiter(1)  # a receiver that answers slowly takes no thread from quotes
    dispatchers: dict[Store, WebhookDispatcher] = {}
    try:
        while True:
            led = [context for context in tenants.contexts() if context.service.leads()]
            stores = {context.store: context.settings for context in led}
            for closed in dispatchers.keys() - stores.keys():
                dispatchers.pop(closed).close()
            delivered = 0
            for store, settings in stores.items():
                if store not in dispatchers:
                    dispatchers[store] = WebhookDispatcher(store, SystemClock(), private=settings.webhooks_private)
                deliver = dispatchers[store].deliver_due
                try:
                    delivered += await anyio.to_thread.run_sync(deliver, limiter=limiter, abandon_on_cancel=True)
                except StoreError as error:
                    log.warning("webhooks wait for the store", error=where(error))
            await anyio.sleep(0 if delivered else _DELIVER_S)
    finally:
        for dispatcher in dispatchers.values():
            dispatcher.close()


async def publish_metrics(tenants: Tenants, log: Any) -> None:
    """Have other processes that serve the same folder tell the metrics of this one, until cancelled."""
    while True:
        for context in tenants.contexts():
            try:
                await context.publish_metrics()
            except OSError as error:
                log.warning("metrics could not be told to other processes", error=where(error))
        await anyio.sleep(_PUBLISH_S)


async def _follow(context: AppContext, log: Any) -> None:
    try:
        found = await context.run(context.service.reload)
    except (ModelError, StoreError, OSError) as error:
        log.error("new model versions refused; the old ones stay in use", reason=str(error))
    else:
        if found is not None:
            versions = {kind.value: version for kind, version in found.items()}
            log.info("model versions in use", **versions)
            await _announce_models(context, versions, log)


async def _announce_models(context: AppContext, versions: Mapping[str, str], log: Any) -> None:
    """Enqueue one message an activation, whichever processes notice it: its id is a digest of the activation file."""
    active = DataFolder(context.settings.data_dir).models / ACTIVE
    activation = hashlib.sha256(f"{active.stat().st_mtime_ns}{sorted(versions.items())}".encode()).hexdigest()[:32]
    now = datetime.now(UTC)
    try:
        await context.run(context.store.enqueue, [of_models(versions, activation, now)], now)
    except StoreError as error:
        log.warning("an activation could not be told", error=where(error))
