"""App factory for ASGI servers (granian, or any other with a factory option)."""

from functools import partial

from litestar import Litestar

from agent.api.app import create_app
from agent.api.context import Resources
from agent.domain.clock import SystemClock
from agent.pricing.tracing import export_to
from agent.service.assembly import open_service
from agent.service.auth.api_keys import KeyRing
from agent.service.merchants import MerchantError, Merchants, settings_of
from agent.service.opening import open_store
from agent.service.process_tuning import limit_arenas, tune_for_requests
from agent.service.settings import Settings
from agent.service.settings_reading import read_settings
from agent.service.strategies import BackgroundWriters, WriterSource
from agent.service.supervision import end_with_parent
from agent.state.preloaded import Preloaded
from agent.state.shared_models import SharedModels
from agent.store.data_folder import DataFolder


def create(preloaded: Preloaded | None = None) -> Litestar:
    """Build an app from the settings; models load when it starts.

    Raises:
        SettingsError: A setting has a value that is not allowed.
        TracingError: Traces are to be sent, and the extra `tracing` is not installed.
    """
    limit_arenas()
    settings = read_settings()
    if settings.otlp_endpoint is not None:
        export_to(settings.otlp_endpoint)
    return create_app(settings, partial(_open_to_serve, preloaded=preloaded))


def create_supervised(preloaded: Preloaded | None = None) -> Litestar:
    """Build an app for a worker of `pricesmith serve`, which ends with its supervisor.

    `preloaded` are products that the supervisor read before it forked the worker.
    """
    end_with_parent()
    return create(preloaded)


def _open_to_serve(settings: Settings, preloaded: Preloaded | None = None) -> Resources:
    """Open everything, and tune the interpreter of a process that only serves."""
    turn = DataFolder(settings.data_dir).workers / "writer.lock"
    writers = BackgroundWriters(turn if settings.workers > 1 else None)
    opened = open_everything(settings, SharedModels(preloaded), writers)
    opened.service.warm_up()
    tune_for_requests()
    return opened


def open_everything(
    settings: Settings, shared: SharedModels | None = None, writers: WriterSource | None = None
) -> Resources:
    """Open store, keys and service of the default merchant, and what opens those of the others.

    `shared` holds large models that this process has loaded already; `writers` write strategies beside quotes, without
    which they are written while a quote waits.
    """
    clock = SystemClock()
    store = open_store(settings, clock)
    secret = settings.bootstrap_key
    keys = KeyRing(store, clock, secret.get_secret_value() if secret is not None else None)
    shared, merchants = shared or SharedModels(), Merchants(settings, store, clock)
    service = open_service(settings, store, clock, shared, writers)

    def open_merchant(merchant: str) -> Resources:
        if not merchants.live(merchant):
            raise MerchantError(f"no merchant has the id {merchant!r}, or it was removed")
        own = settings_of(settings, merchant)
        theirs = open_store(own, clock)
        return Resources(service=open_service(own, theirs, clock, shared, writers), store=theirs, keys=keys)

    return Resources(service=service, store=store, keys=keys, open_merchant=open_merchant)
