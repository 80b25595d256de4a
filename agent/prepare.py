"""`pricesmith prepare`: models in runtime form, demo store, indexes. Idempotent; goes on where it was stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.catalogue import Catalogue
from agent.clock import Clock, StoreClock
from agent.demo import DemoSize, load_demo
from agent.encoding import CachedEncoder
from agent.memory import OutcomeBook
from agent.shoppers import ShopperBook
from agent.store import Store
from models.encoder import DIM, Encoder, OpenVinoEncoder
from models.evaluator import KEY_DIM, Evaluator, load_evaluator
from models.journey import read_journey
from models.registry import ORDER, Kind, Registry, read_meta
from models.versions import check_complete, install_shipped
from retrieval import OutcomeMemory, ProductIndex, SnapshotError

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where things lie under the data folder."""

    root: Path

    @property
    def models(self) -> Path:
        """Model versions."""
        return self.root / "models"

    @property
    def product_index(self) -> Path:
        """Snapshot of the product index."""
        return self.root / "indexes" / "products"

    @property
    def outcome_memory(self) -> Path:
        """Snapshot of the outcome memory."""
        return self.root / "indexes" / "outcomes"

    @property
    def learning(self) -> Path:
        """Snapshots of what outcomes taught since the training."""
        return self.root / "learning"

    @property
    def signing_key(self) -> Path:
        """Private key of quote tokens."""
        return self.root / "keys" / "signing.pem"

    @property
    def database_url(self) -> str:
        """The embedded database."""
        return f"sqlite:///{(self.root / 'pricesmith.db').resolve()}"


def prepare_models(folder: DataFolder, progress: Progress) -> Registry:
    """Install the shipped versions; activates them where nothing is active.

    Raises:
        RegistryError, BaseWeightsError, ModelError: A file is missing or altered; the message says which.
    """
    registry = Registry(folder.models)
    for number, kind in enumerate(ORDER):
        progress(f"models: {kind}", number / len(ORDER))
        install_shipped(registry, kind)
    progress("models", 1.0)
    return registry


def load_encoder(registry: Registry, threads: int) -> Encoder:
    """The active encoder on the fast CPU runtime, its files checked."""
    version = registry.active(Kind.ENCODER)
    folder = registry.folder(Kind.ENCODER, version)
    read_meta(folder)
    check_complete(folder, Kind.ENCODER)
    return OpenVinoEncoder(folder, version, threads)


def load_active_evaluator(registry: Registry) -> Evaluator:
    """The active evaluator, its files checked."""
    version = registry.active(Kind.EVALUATOR)
    folder = registry.folder(Kind.EVALUATOR, version)
    read_meta(folder)
    return load_evaluator(folder / "evaluator.safetensors", version)


def prepare_demo(store: Store, clock: Clock, size: DemoSize, progress: Progress) -> None:
    """Fill the store with the demo data, once."""
    load_demo(store, read_journey, clock, size, progress)


def prepare_indexes(folder: DataFolder, store: Store, registry: Registry, progress: Progress, threads: int = 2) -> None:
    """Bring both indexes up to the store and save them; whatever a snapshot already holds is not made again."""
    encoder = CachedEncoder(load_encoder(registry, threads))
    evaluator = load_active_evaluator(registry)
    catalogue = Catalogue(store, encoder, open_product_index(folder, encoder.version))
    if catalogue.index_missing(lambda share: progress("indexes: products", share)):
        catalogue.index.save(folder.product_index)
    memory = open_outcome_memory(folder, evaluator.version)
    shoppers = ShopperBook(store, catalogue.labels)
    book = OutcomeBook(memory, evaluator, catalogue, shoppers, StoreClock.from_meta(store.meta))
    if book.catch_up(store, lambda count: progress(f"indexes: {count} past outcomes", 0.5)):
        memory.save(folder.outcome_memory)
    progress("indexes", 1.0)


def open_product_index(folder: DataFolder, encoder_version: str) -> ProductIndex:
    """The product index from its snapshot, empty when there is none that can be used."""
    try:
        return ProductIndex.load(folder.product_index, encoder_version)
    except SnapshotError:
        return ProductIndex(DIM, encoder_version)


def open_outcome_memory(folder: DataFolder, evaluator_version: str) -> OutcomeMemory:
    """The outcome memory from its snapshot, empty when there is none that can be used."""
    try:
        return OutcomeMemory.load(folder.outcome_memory, evaluator_version)
    except SnapshotError:
        return OutcomeMemory(2 * KEY_DIM, evaluator_version)
