"""The whole check-up of one installation."""

from collections.abc import Iterator, Mapping

from agent.domain.clock import SystemClock
from agent.service.doctor.access import check_api_keys, check_signing_key
from agent.service.doctor.finding import Finding, Level, of_error
from agent.service.doctor.installed_models import check_models
from agent.service.doctor.law import check_law
from agent.service.doctor.machine import check_disk, check_memory, check_processor, this_memory, this_processor
from agent.service.doctor.port import PortState, check_port, port_state
from agent.service.doctor.settings_check import check_settings
from agent.service.doctor.stored_data import check_indexes, check_rows, existing_store
from agent.service.merchants import MerchantError, settings_of
from agent.service.settings import DEFAULT_MERCHANT, Settings
from agent.store import StoreError
from agent.store.data_folder import DataFolder
from models.errors import ModelError
from models.progress import Progress
from models.registry.registry import Registry
from prompts import PromptError, load_prompt


def check_up(home: Settings, environment: Mapping[str, str], progress: Progress) -> Iterator[Finding]:
    """Findings about settings, machine, models, data, keys, law and port, in this order; nothing is changed.

    Args:
        home: The default merchant's settings. Models and data are those of the merchant that they name.
        environment: The process's environment variables.
        progress: Told what is being checked.
    """
    yield from check_settings(home, environment)
    try:
        settings = settings_of(home, home.merchant)
    except (MerchantError, StoreError) as error:
        yield of_error("merchant", error)
        return
    folder = DataFolder(settings.data_dir)
    registry = Registry(folder.models)
    serving = port_state(home.host, home.port) is PortState.PRICESMITH
    yield check_processor(this_processor(), settings.threads)
    yield check_memory(*this_memory(), serving=serving)
    yield check_disk(settings.data_dir, prepared=folder.models.is_dir())
    yield from _models(registry, settings, progress)
    yield from _data(home, settings, folder, registry)
    yield check_law(SystemClock().now().date())
    yield check_port(home.host, home.port)


def _models(registry: Registry, settings: Settings, progress: Progress) -> Iterator[Finding]:
    """Findings about models, and about the prompt that the strategist must have been trained on."""
    try:
        prompt = load_prompt("strategist", settings.prompt_version)
    except PromptError as error:
        remedy = "set PRICESMITH_PROMPT_VERSION to a version that `pricesmith prompts list` shows"
        yield Finding("prompt", Level.PROBLEM, str(error), remedy)
        return
    yield from check_models(registry, prompt.label, progress)


def _data(home: Settings, settings: Settings, folder: DataFolder, registry: Registry) -> Iterator[Finding]:
    """Findings about database, indexes and keys."""
    with existing_store(settings) as (finding, store):
        yield finding
        used = False
        if store is not None:
            try:
                yield Finding("store", Level.OK, store.kind().label)
                used = store.audit_count() > 0
                yield check_rows(store, SystemClock().now())
                yield from check_indexes(store, folder, registry)
            except (StoreError, ModelError) as error:
                yield of_error("indexes", error)
        yield check_signing_key(folder.signing_key, needed=used)
        if settings.merchant == DEFAULT_MERCHANT:
            yield check_api_keys(store, home, SystemClock().now())
            return
    with existing_store(home) as (finding, store):
        if finding.level is not Level.OK:
            yield Finding("default merchant's database", finding.level, finding.detail, finding.remedy)
        yield check_api_keys(store, home, SystemClock().now())
