"""Loading of active model versions and index snapshots from a data folder."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.state.catalogue import Catalogue
from agent.state.shopper_histories import CAPACITY, ShopperHistories
from agent.state.shopper_memory import MemoryReader
from agent.store import Store
from agent.store.data_folder import DataFolder
from agent.store.doubtful_rows import REMOVALS_KEY
from models.encoder.encoder import Encoder, OpenVinoEncoder
from models.evaluator.evaluator import Evaluator
from models.evaluator.evaluator_file import load_evaluator
from models.evaluator.evidence import KEY_DIM
from models.registry.registry import ModelKind, Registry, read_meta
from models.registry.versions import check_complete, check_prompt
from prompts import Prompt
from retrieval import OutcomeMemory, ProductIndex, SnapshotError

if TYPE_CHECKING:
    from models.strategist.strategist import Strategist

_CHECKSUMS: Final = 20_000
"""Products whose words are summed at the start (about .1 s), so that the first quotes need not."""


def load_encoder(registry: Registry, threads: int) -> Encoder:
    """Load the active encoder on the CPU runtime.

    Raises:
        RegistryError: No version is active, or a file is missing or damaged.
    """
    version = registry.active(ModelKind.ENCODER)
    folder = registry.folder(ModelKind.ENCODER, version)
    read_meta(folder)
    check_complete(folder, ModelKind.ENCODER)
    return OpenVinoEncoder(folder, version, threads)


def load_active_evaluator(registry: Registry) -> Evaluator:
    """Load the active evaluator.

    Raises:
        RegistryError: No version is active, or a file is missing or damaged.
    """
    version = registry.active(ModelKind.EVALUATOR)
    folder = registry.folder(ModelKind.EVALUATOR, version)
    read_meta(folder)
    return load_evaluator(folder / "evaluator.safetensors", version)


def load_active_strategist(registry: Registry, prompt: Prompt) -> "Strategist":
    """Load the active strategist.

    Raises:
        RegistryError: No version is active, a file is missing or damaged, or it was trained on another prompt.
    """
    return load_checked_strategist(check_strategist(registry, prompt))


def check_strategist(registry: Registry, prompt: Prompt) -> Path:
    """Check the active strategist without loading it, and return its folder.

    Raises:
        RegistryError: No version is active, a file is missing or damaged, or it was trained on another prompt.
    """
    folder = registry.active_folder(ModelKind.STRATEGIST)
    check_prompt(read_meta(folder), prompt.label)
    check_complete(folder, ModelKind.STRATEGIST)
    return folder


def load_checked_strategist(folder: Path) -> "Strategist":
    """Load the strategist of a folder that `check_strategist` returned.

    Raises:
        RegistryError: Its tensors do not match the grammar.
    """
    from models.strategist.strategist import load_strategist  # loads torch, which a serving process does without

    return load_strategist(folder, folder.name)


def open_product_index(folder: DataFolder, encoder_version: str, dim: int) -> ProductIndex:
    """Load the product index from its snapshot; empty, for states of `dim`, without a usable one."""
    try:
        return ProductIndex.load(folder.product_index, encoder_version)
    except SnapshotError:
        return ProductIndex(dim, encoder_version)


def open_outcome_memory(folder: DataFolder, evaluator_version: str, store: Store) -> OutcomeMemory:
    """Load the outcome memory from its snapshot; empty without a usable one, or after rows were removed."""
    made_with = outcomes_made_with(evaluator_version, store)
    try:
        return OutcomeMemory.load(folder.outcome_memory, made_with)
    except SnapshotError:
        return OutcomeMemory(2 * KEY_DIM, made_with)


def open_histories(store: Store, catalogue: Catalogue, capacity: int = CAPACITY) -> ShopperHistories:
    """Shopper histories over a store, read back from its shopper memory where that is up to date."""
    catalogue.checksum(islice(catalogue.index.ids(), _CHECKSUMS))
    return ShopperHistories(store, catalogue.labels, capacity, MemoryReader(store, catalogue.checksum))


def outcomes_made_with(evaluator_version: str, store: Store) -> str:
    """Label of an outcome memory that follows from an evaluator and the store's rows; a removal changes it.

    A process that still runs saves its memory under the earlier label, so that nobody loads removed rows from it.
    """
    removals = store.meta(REMOVALS_KEY)
    return evaluator_version if removals is None else f"{evaluator_version}+{removals}"
