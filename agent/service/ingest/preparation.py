"""Preparation of a data folder: models, demo store, indexes. Idempotent; an interrupted run is resumed."""

from collections.abc import Sequence
from pathlib import Path

from agent.domain.clock import Clock, StoreClock
from agent.service.ingest.demo_store import DemoSize, load_demo
from agent.state.cached_encoder import CachedEncoder
from agent.state.catalogue import Catalogue
from agent.state.loading import (
    load_active_evaluator,
    load_encoder,
    open_histories,
    open_outcome_memory,
    open_product_index,
)
from agent.state.outcome_index import OutcomeIndex
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.datasets.complete_journey import read_journey
from models.progress import Progress
from models.registry.registry import ORDER, ModelKind, Registry
from models.registry.versions import install_shipped


def prepare_models(
    folder: DataFolder, progress: Progress, built: Path | None = None, kinds: Sequence[ModelKind] = ORDER
) -> Registry:
    """Install the shipped versions of `kinds` and activate those of kinds that have no active one.

    `built` is a folder of models from which files are copied rather than built.

    Raises:
        RegistryError, BaseWeightsError, ModelError: A file is missing or altered; the message names it.
    """
    registry = Registry(folder.models)
    for number, kind in enumerate(kinds):
        progress(f"models: {kind}", number / len(kinds))
        install_shipped(registry, kind, built)
    progress("models", 1.0)
    return registry


def prepare_demo(store: Store, clock: Clock, size: DemoSize, progress: Progress) -> None:
    """Fill the store with the demo data unless it was done before."""
    load_demo(store, read_journey, clock, size, progress)


def prepare_indexes(folder: DataFolder, store: Store, registry: Registry, progress: Progress, threads: int = 2) -> None:
    """Update product and outcome index from their snapshots to the state of the store, and save them."""
    encoder = CachedEncoder(load_encoder(registry, threads))
    evaluator = load_active_evaluator(registry)
    catalogue = Catalogue(store, encoder, open_product_index(folder, encoder.version, encoder.dim))
    catalogue.index_missing(lambda share: progress("indexes: products", share))
    if catalogue.index.unsaved:
        catalogue.index.save(folder.product_index)
    memory = open_outcome_memory(folder, evaluator.version, store)
    shoppers = open_histories(store, catalogue)
    outcomes = OutcomeIndex(memory, evaluator, catalogue, shoppers, StoreClock.from_meta(store.meta))
    if outcomes.catch_up(store, lambda count: progress(f"indexes: {count} past outcomes", 0.5)):
        memory.save(folder.outcome_memory)
    progress("indexes", 1.0)
