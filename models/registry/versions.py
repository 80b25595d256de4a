"""From shipped deltas to runnable versions and back.

A shipped version is a folder of small safetensors with `meta.json` and a model card; an installed one (in the
registry) holds the same deltas and the runtime files made from them.
"""

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from models.encoder.export import export_encoder
from models.errors import RegistryError
from models.language.narrator_export import export_narrator
from models.registry.registry import META, ModelKind, ModelMeta, Registry, file_digests, parse_meta, read_meta
from models.strategist.export import export_strategist
from models.strategist.numeric_head import NUMBERS_FILE

CARD: Final = "CARD.md"
PROMPT: Final = "prompt"  # in a strategist's config: label of the prompt that it reads
DELTAS: Final = {
    ModelKind.ENCODER: ("adapter.safetensors", "interest.safetensors", "taste.safetensors", "ranking.safetensors"),
    ModelKind.EVALUATOR: ("evaluator.safetensors",),
    ModelKind.STRATEGIST: ("delta.safetensors", NUMBERS_FILE),
    ModelKind.UNDERSTANDING: ("understanding.safetensors",),
    ModelKind.NARRATOR: ("delta.safetensors",),
}
RUNTIME: Final = {
    ModelKind.ENCODER: ("encoder.xml", "encoder.bin", "tokenizer.json"),
    ModelKind.EVALUATOR: (),
    ModelKind.STRATEGIST: ("strategist.safetensors", "tokenizer.json"),
    ModelKind.UNDERSTANDING: (),
    ModelKind.NARRATOR: ("narrator.safetensors", "tokenizer.json"),
}


def install_deltas(registry: Registry, meta: ModelMeta, deltas: Path) -> Path:
    """Copy a version's deltas into the registry, and its runtime files, which are made unless they lie there too."""

    def write(folder: Path) -> None:
        for name in (*DELTAS[meta.kind], CARD, *RUNTIME[meta.kind]):
            if (deltas / name).is_file():
                shutil.copyfile(deltas / name, folder / name)
        if all((folder / name).is_file() for name in RUNTIME[meta.kind]):
            return
        if meta.kind is ModelKind.ENCODER:
            export_encoder(folder / "adapter.safetensors", folder)
        elif meta.kind is ModelKind.STRATEGIST:
            export_strategist(folder / "delta.safetensors", folder)
        elif meta.kind is ModelKind.NARRATOR:
            export_narrator(folder / "delta.safetensors", folder)

    return registry.install(meta, write)


def install_shipped(registry: Registry, kind: ModelKind) -> bool:
    """Install the shipped version of a kind unless it is there; activate it when none that this code can use is.

    Returns:
        Whether anything had to be made.

    Raises:
        RegistryError: The shipped files are damaged.
    """
    with as_file(files("models") / "shipped" / kind.value) as folder:
        meta = read_meta(folder)
        fresh = not registry.has(kind, meta.version)
        if fresh:
            install_deltas(registry, meta, folder)
    if not registry.is_active(kind) or _outdated(registry, meta):
        registry.activate(kind, meta.version)
    return fresh


def shipped_meta(kind: ModelKind) -> ModelMeta:
    """What is known of the version that is shipped.

    Raises:
        RegistryError: The shipped files are damaged.
    """
    with as_file(files("models") / "shipped" / kind.value) as folder:
        return read_meta(folder)


def check_complete(folder: Path, kind: ModelKind) -> None:
    """See that a version holds every file that this code reads.

    Raises:
        RegistryError: It lacks one, having been made by an earlier release.
    """
    missing = [name for name in DELTAS[kind] if not (folder / name).is_file()]
    if missing:
        raise RegistryError(
            f"{folder} lacks {', '.join(missing)}: an earlier release made it; remedy: pricesmith prepare, "
            f"or train the {kind} again"
        )


def check_fit(registry: Registry) -> None:
    """See that the active versions were trained with one another.

    Raises:
        RegistryError: One needs a version that is not active.
    """
    in_use = registry.in_use()
    for kind, version in in_use.items():
        for needed, expected in parse_meta(registry.folder(kind, version)).requires.items():
            if in_use.get(needed) != expected:
                raise RegistryError(
                    f"{kind} {version} was trained with {needed} {expected}, active is {in_use.get(needed)}; remedy: "
                    f"pricesmith models activate {needed} {expected}, or activate a {kind} that fits"
                )


def check_prompt(meta: ModelMeta, prompt: str) -> None:
    """See that a strategist reads the prompt it was trained on.

    Raises:
        RegistryError: It was trained on another.
    """
    trained = meta.config.get(PROMPT)
    if trained != prompt:
        raise RegistryError(
            f"strategist {meta.version} was trained on prompt {trained or 'of an earlier release'}, the settings name "
            f"{prompt}; remedy: pricesmith prepare, or set PRICESMITH_PROMPT_VERSION to the version it was trained on"
        )


def _outdated(registry: Registry, shipped: ModelMeta) -> bool:
    """Whether the active version is gone, lacks files, or was trained with versions or a prompt now gone."""
    kind = shipped.kind
    active = registry.active(kind)
    if not registry.has(kind, active):
        return True
    folder = registry.folder(kind, active)
    meta = read_meta(folder)
    stale = any(registry.active(needed) != version for needed, version in meta.requires.items())
    prompted = meta.config.get(PROMPT) == shipped.config.get(PROMPT)
    return stale or not prompted or not all((folder / name).is_file() for name in DELTAS[kind])


def ship(registry: Registry, kind: ModelKind, target: Path) -> None:
    """Write the active version's deltas, card and meta as the shipped version of a kind."""
    source = registry.folder(kind, registry.active(kind))
    meta = read_meta(source)
    folder = target / kind.value
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*DELTAS[kind], CARD):
        shutil.copyfile(source / name, folder / name)
    shipped = meta.model_copy(update={"files": file_digests(folder)})
    (folder / META).write_text(shipped.model_dump_json(indent=1) + "\n", "utf-8")
