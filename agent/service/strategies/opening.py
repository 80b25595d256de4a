"""Opening of the language model's part: what is known, and the writer of what is not."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.domain.clock import Clock
from agent.pricing.model_proposer import ModelProposer, StrategyWriter
from agent.service.settings import Settings
from agent.service.strategies.background_writer import BackgroundWriter
from agent.service.strategies.direct_writer import DirectWriter
from agent.service.strategies.messages import Start
from agent.state.known_strategies import KnownStrategies
from agent.state.loading import check_strategist, load_checked_strategist
from agent.state.shared_models import SharedModels
from agent.store import Store
from agent.store.folder_lock import FolderLock
from models.errors import RegistryError
from models.registry.registry import META, ModelKind, Registry, read_meta
from prompts import Prompt, load_prompt


class WriterSource(Protocol):
    """Gives the writer for a strategist."""

    def writer(self, registry: Registry, prompt: Prompt) -> StrategyWriter:
        """The writer for the registry's active strategist."""
        ...


class DirectWriters:
    """Writers in this process, whose strategists merchants share."""

    def __init__(self, shared: SharedModels | None = None) -> None:
        """`shared` holds models that this process has loaded."""
        self._shared = shared or SharedModels()

    def writer(self, registry: Registry, prompt: Prompt) -> StrategyWriter:
        """A writer that works before a quote is answered."""
        folder = registry.active_folder(ModelKind.STRATEGIST)
        return DirectWriter(lambda: self._shared.get(folder, lambda: load_checked_strategist(folder)), prompt)


class BackgroundWriters:
    """Writers in processes of their own, one for all merchants that use the same strategist."""

    def __init__(self, turn: Path | None = None) -> None:
        """Start nothing yet; processes take turns at the lock `turn`, where it is given."""
        self._shared = SharedModels()
        self._turn = turn

    def writer(self, registry: Registry, prompt: Prompt) -> StrategyWriter:
        """A writer that works beside quotes."""
        folder = registry.active_folder(ModelKind.STRATEGIST)
        start = Start(folder=folder.resolve(), version=folder.name, prompt_version=prompt.version)
        turn = None if self._turn is None else FolderLock(self._turn)
        return self._shared.get(folder, lambda: BackgroundWriter(start, turn=turn))


@dataclass(frozen=True, slots=True)
class StrategyStore:
    """Place where strategies are kept, and the clock that dates them."""

    store: Store
    clock: Clock


def open_proposer(
    settings: Settings, registry: Registry, kept: StrategyStore, writers: WriterSource, running: ModelProposer | None
) -> ModelProposer:
    """Open memory and writer of the active strategist; without one where the settings say so.

    `running` is the proposer that this one replaces, taken over where the strategist is the same; None at the start,
    when a damaged strategist leaves the service without one.

    Raises:
        RegistryError: It was trained on another prompt, or a damaged version would replace a running one.
        StoreError: What is known cannot be read.
    """
    prompt = load_prompt("strategist", settings.prompt_version)
    if not settings.language_model:
        return ModelProposer(prompt)
    label = _label(registry, prompt)
    if running is not None and running.memory is not None and running.memory.made_with == label:
        return running
    try:
        read_meta(registry.active_folder(ModelKind.STRATEGIST))
    except RegistryError as error:
        if running is not None:
            raise
        without = ModelProposer(prompt)
        without.trouble = str(error)
        return without
    check_strategist(registry, prompt)
    memory = KnownStrategies(label, kept.store, kept.clock)
    memory.follow()
    return ModelProposer(prompt, memory, writers.writer(registry, prompt))


def _label(registry: Registry, prompt: Prompt) -> str:
    """Name of the active strategist and its prompt: strategies of another are not used."""
    meta = registry.active_folder(ModelKind.STRATEGIST) / META
    digest = hashlib.sha256(meta.read_bytes()).hexdigest()[:12] if meta.is_file() else ""
    return f"strategist/{meta.parent.name}@{digest} {prompt.label}"
