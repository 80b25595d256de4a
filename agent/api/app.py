"""App factory: routes, error handlers, start and stop. One factory serves every ASGI server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import anyio
from anyio import CapacityLimiter
from litestar import Litestar
from litestar.logging import LoggingConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from agent.api.background import deliver_webhooks, follow_models, follow_store, purge_expired
from agent.api.batching import MicroBatcher
from agent.api.context import CONTEXT, AppContext, Resources
from agent.api.controllers import QuoteController, ShopController
from agent.api.error_handlers import error_handlers
from agent.api.explanations import ExplanationController
from agent.api.imports import ImportController
from agent.api.instrumentation import InstrumentedApp
from agent.api.kill_switch import KillSwitchController
from agent.api.logs import service_log
from agent.api.metrics import Metrics
from agent.api.operations import livez, metrics, own_metrics, own_public_keys, public_keys, readyz
from agent.api.paths import decode_path_ids
from agent.api.rule_versions import RuleVersionsController
from agent.api.shoppers import ShopperController
from agent.api.tenants import TENANTS, Tenants
from agent.api.trainings import TrainingController
from agent.api.webhooks import WebhookController
from agent.domain.clock import SystemClock
from agent.service.auth.rate_limits import RateLimiter
from agent.service.jobs import JobRunner
from agent.service.settings import Settings

VERSION: Final = "1.0"
_THREADS: Final = 8
_ROUTES: Final = (
    QuoteController,
    ExplanationController,
    ShopController,
    KillSwitchController,
    RuleVersionsController,
    ShopperController,
    WebhookController,
    ImportController,
    TrainingController,
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
        route_handlers=list(_ROUTES),
        before_request=decode_path_ids,
        lifespan=[_lifespan(settings, open_all, measured, log)],
        exception_handlers=error_handlers(log),
        request_max_body_size=settings.body_limit_bytes,
        openapi_config=_openapi(),
        logging_config=LoggingConfig(log_exceptions="never", configure_root_logger=False),
    )


def _lifespan(
    settings: Settings, open_all: Callable[[Settings], Resources], measured: Metrics, log: Any
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Open the service and start the background tasks; end both, in the reverse order, when the app stops."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        resources = await anyio.to_thread.run_sync(open_all, settings)
        batcher = MicroBatcher(resources.service.quote, limit=settings.queue_limit)
        rate_limits = RateLimiter(settings.rate_limit_per_minute)
        jobs = JobRunner(settings, resources.store, SystemClock(), log)
        context = AppContext(settings, resources, batcher, CapacityLimiter(_THREADS), measured, rate_limits, jobs=jobs)
        app.state[CONTEXT] = context
        app.state[TENANTS] = tenants = Tenants(context, settings.open_merchants)
        running = (purge_expired, follow_store, follow_models, deliver_webhooks)
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
            await batcher.close()
            await anyio.to_thread.run_sync(resources.service.close)

    return lifespan


def _openapi() -> OpenAPIConfig:
    scheme = SecurityScheme(
        type="http", scheme="bearer", description="An API key, made by the command `pricesmith keys create`."
    )
    return OpenAPIConfig(
        title="Pricesmith",
        version=VERSION,
        description="Prices for one shopper, one product, one moment, within the merchant's limits and with reasons.",
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[SwaggerRenderPlugin()],
        components=Components(security_schemes={"apiKey": scheme}),
    )
