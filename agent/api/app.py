"""App factory: routes, error handlers, start and stop. One factory serves every ASGI server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Any, Final

import anyio
from anyio import CapacityLimiter
from litestar import Litestar
from litestar.logging import LoggingConfig

from agent.api.background import (
    deliver_webhooks,
    follow_models,
    follow_store,
    keep_shoppers,
    publish_metrics,
    purge_expired,
)
from agent.api.batching import MicroBatcher
from agent.api.catalogue import RecordController
from agent.api.context import CONTEXT, AnyRequest, AppContext, Resources
from agent.api.controllers import QuoteController, ShopController
from agent.api.cors import CrossOrigin
from agent.api.error_handlers import error_handlers
from agent.api.explanations import ExplanationController
from agent.api.imports import ImportController
from agent.api.instrumentation import InstrumentedApp
from agent.api.kill_switch import KillSwitchController
from agent.api.lists import LISTS
from agent.api.logs import service_log
from agent.api.openapi_document import Document, document_of
from agent.api.operations import livez, metrics, own_metrics, own_public_keys, public_keys, readyz
from agent.api.page_quotes import PageController
from agent.api.paths import decode_path_ids
from agent.api.problem_pages import get_problem, list_problems
from agent.api.query import refuse_unknown_parameters
from agent.api.reference import reference_routes
from agent.api.rule_versions import RuleVersionsController
from agent.api.shoppers import ShopperController
from agent.api.tenants import TENANTS, Tenants, workers_of
from agent.api.trainings import TrainingController
from agent.api.webhooks import WebhookController
from agent.domain.clock import SystemClock
from agent.service.auth.rate_limits import RateLimiter
from agent.service.jobs import JobRunner
from agent.service.metrics import Metrics
from agent.service.settings import Settings

_THREADS: Final = 8
_ROUTES: Final = (
    QuoteController,
    PageController,
    ExplanationController,
    ShopController,
    *LISTS,
    RecordController,
    KillSwitchController,
    RuleVersionsController,
    ShopperController,
    WebhookController,
    ImportController,
    TrainingController,
    list_problems,
    get_problem,
    livez,
    readyz,
    public_keys,
    own_public_keys,
    own_metrics,
    metrics,
)


def create_app(settings: Settings, open_all: Callable[[Settings], Resources]) -> Litestar:
    """Build an app that calls `open_all` in a worker thread when it starts, to load models and open the store."""
    measured, log = Metrics(), service_log()
    return InstrumentedApp(
        measured=measured,
        log=log,
        cross_origin=CrossOrigin(settings.cors_origins),
        route_handlers=[*_ROUTES, *reference_routes(openapi_document)],
        before_request=_check_address,
        lifespan=[_lifespan(settings, open_all, measured, log)],
        exception_handlers=error_handlers(log),
        request_max_body_size=settings.body_limit_bytes,
        openapi_config=None,  # the document is `openapi_document`
        logging_config=LoggingConfig(log_exceptions="never", configure_root_logger=False),
    )


@cache
def openapi_document() -> Document:
    """The OpenAPI document of all routes; no model is loaded for it."""
    return document_of(_ROUTES)


def _lifespan(
    settings: Settings, open_all: Callable[[Settings], Resources], measured: Metrics, log: Any
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Open the service and start the background tasks; end both, in the reverse order, when the app stops."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        resources = await anyio.to_thread.run_sync(open_all, settings)
        batcher = MicroBatcher(resources.service.priced, limit=settings.queue_limit)
        rate_limits = RateLimiter(settings.rate_limit_per_minute)
        jobs = JobRunner(settings, resources.store, SystemClock(), log)
        workers = workers_of(settings, resources.service)
        context = AppContext(
            settings,
            resources,
            batcher,
            CapacityLimiter(_THREADS),
            measured,
            rate_limits,
            jobs=jobs,
            workers=workers,
        )
        app.state[CONTEXT] = context
        app.state[TENANTS] = tenants = Tenants(context, settings.open_merchants)
        running = (purge_expired, follow_store, follow_models, keep_shoppers, deliver_webhooks, publish_metrics)
        tasks = [asyncio.create_task(task(tenants, log)) for task in running]
        jobs.start()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(jobs.stop)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await tenants.close()
            if workers is not None:
                workers.close()
            await batcher.close()
            await anyio.to_thread.run_sync(resources.service.close)

    return lifespan


async def _check_address(request: AnyRequest) -> None:
    """Check path and query of every request, before its handler runs; a coroutine, as others would run in a thread."""
    decode_path_ids(request)
    refuse_unknown_parameters(request)
