"""Installation of shipped versions into the registry, and export of trained versions for shipping.

A shipped version is a folder of small safetensors (deltas) with `meta.json` and a model card. An installed version
also has the runtime files that are built from its deltas.
"""

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from models.errors import RegistryError
from models.registry.registry import META, ModelKind, ModelMeta, Registry, file_digests, parse_meta, read_meta
from models.strategist.files import NUMBERS_FILE

CARD: Final = "CARD.md"
PROMPT: Final = "prompt"  # setting of a strategist: label of the prompt it was trained on
DELTAS: Final = {
    ModelKind.ENCODER: ("adapter.safetensors", "interest.safetensors", "taste.safetensors", "ranking.safetensors"),
    ModelKind.EVALUATOR: ("evaluator.safetensors",),
    ModelKind.STRATEGIST: ("delta.safetensors", NUMBERS_FILE),
    ModelKind.UNDERSTANDING: ("understanding.safetensors",),
    ModelKind.NARRATOR: ("delta.safetensors",),
}
RUNTIME: Final = {
    ModelKind.ENCODER: ("encoder.xml", "encoder.bin", "encoder.json", "tokenizer.json"),
    ModelKind.EVALUATOR: (),
    ModelKind.STRATEGIST: ("strategist.safetensors", "tokenizer.json"),
    ModelKind.UNDERSTANDING: (),
    ModelKind.NARRATOR: ("narrator.safetensors", "tokenizer.json"),
}


def install_deltas(registry: Registry, meta: ModelMeta, deltas: Path) -> Path:
    """Install a version from folder `deltas`; runtime files are copied if present there, else built."""

    def write(folder: Path) -> None:
        for name in (*DELTAS[meta.kind], CARD, *RUNTIME[meta.kind]):
            if (deltas / name).is_file():
                shutil.copyfile(deltas / name, folder / name)
        if all((folder / name).is_file() for name in RUNTIME[meta.kind]):
            return
        _build_runtime(meta, folder)

    return registry.install(meta, write)


def _build_runtime(meta: ModelMeta, folder: Path) -> None:
    """Build runtime files from deltas; torch loads here, as a process that only reads versions needs none."""
    kind = meta.kind
    if kind is ModelKind.ENCODER:
        from models.encoder.base import BASE, MINILM_L6
        from models.encoder.export import export_encoder

        export_encoder(str(meta.config.get(BASE, MINILM_L6)), folder / "adapter.safetensors", folder)
    elif kind is ModelKind.STRATEGIST:
        from models.strategist.export import export_strategist

        export_strategist(folder / "delta.safetensors", folder)
    elif kind is ModelKind.NARRATOR:
        from models.language.narrator_export import export_narrator

        export_narrator(folder / "delta.safetensors", folder)


def install_shipped(registry: Registry, kind: ModelKind, built: Path | None = None) -> bool:
    """Install the shipped version of a kind where it is missing or damaged; activate it if no usable one is active.

    Args:
        registry: Where to install.
        kind: The kind.
        built: Root of another registry, from which runtime files are copied rather than built, where it has them.

    Returns:
        Whether the version was installed now.

    Raises:
        RegistryError: The shipped files are damaged.
    """
    with as_file(files("models") / "shipped" / kind.value) as folder:
        meta = read_meta(folder)
        fresh = not _whole(registry, kind, meta.version)
        if fresh:
            beside = None if built is None else Registry(built)
            ready = beside is not None and _whole(beside, kind, meta.version)
            install_deltas(registry, meta, beside.folder(kind, meta.version) if beside and ready else folder)
    if not registry.is_active(kind) or _outdated(registry, meta):
        registry.activate(kind, meta.version)
    return fresh


def shipped_meta(kind: ModelKind) -> ModelMeta:
    """Read and verify the metadata of the shipped version.

    Raises:
        RegistryError: The shipped files are damaged.
    """
    with as_file(files("models") / "shipped" / kind.value) as folder:
        return read_meta(folder)


def check_complete(folder: Path, kind: ModelKind) -> None:
    """Check that a version has every delta that this code reads.

    Raises:
        RegistryError: A file is missing because an earlier release made the version.
    """
    missing = [name for name in DELTAS[kind] if not (folder / name).is_file()]
    if missing:
        raise RegistryError(
            f"{folder} lacks {', '.join(missing)}: it was made by an earlier release; remedy: pricesmith prepare, "
            f"or train the {kind} again"
        )


def check_fit(registry: Registry) -> None:
    """Check that the active versions were trained with one another.

    Raises:
        RegistryError: A version requires another that is not active.
    """
    in_use = registry.in_use()
    for kind, version in in_use.items():
        for needed, expected in parse_meta(registry.folder(kind, version)).requires.items():
            if in_use.get(needed) != expected:
                raise RegistryError(
                    f"{kind} {version} was trained with {needed} {expected}; active: {in_use.get(needed)}; remedy: "
                    f"pricesmith models activate {needed} {expected}, or activate a {kind} trained with the active one"
                )


def check_prompt(meta: ModelMeta, prompt: str) -> None:
    """Check that a strategist was trained on prompt `prompt`.

    Raises:
        RegistryError: It was trained on another prompt.
    """
    trained = meta.config.get(PROMPT)
    if trained != prompt:
        raise RegistryError(
            f"strategist {meta.version} was trained on prompt {trained or 'of an earlier release'}; the settings name: "
            f"{prompt}; remedy: pricesmith prepare, or set PRICESMITH_PROMPT_VERSION to the version it was trained on"
        )


def _whole(registry: Registry, kind: ModelKind, version: str) -> bool:
    """Whether a version is installed and every file of it is as it was written."""
    if not registry.has(kind, version):
        return False
    try:
        read_meta(registry.folder(kind, version))
    except RegistryError:
        return False
    return True


def _outdated(registry: Registry, shipped: ModelMeta) -> bool:
    """Whether the active version is missing, lacks files, or was trained with other versions or another prompt."""
    kind = shipped.kind
    active = registry.active(kind)
    if not registry.has(kind, active):
        return True
    folder = registry.folder(kind, active)
    meta = (
        parse_meta(folder) if active == shipped.version else read_meta(folder)
    )  # the shipped one was checked just now
    stale = any(registry.active(needed) != version for needed, version in meta.requires.items())
    prompted = meta.config.get(PROMPT) == shipped.config.get(PROMPT)
    return stale or not prompted or not all((folder / name).is_file() for name in DELTAS[kind])


def ship(registry: Registry, kind: ModelKind, target: Path) -> None:
    """Copy deltas, card and metadata of the active version to `target` as the shipped version of a kind."""
    source = registry.folder(kind, registry.active(kind))
    meta = read_meta(source)
    folder = target / kind.value
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*DELTAS[kind], CARD):
        shutil.copyfile(source / name, folder / name)
    shipped = meta.model_copy(update={"files": file_digests(folder)})
    (folder / META).write_text(shipped.model_dump_json(indent=1) + "\n", "utf-8")
