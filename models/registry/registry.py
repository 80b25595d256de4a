"""Versions of what Pricesmith trained: folders of safetensors with a strict `meta.json`, one active version a kind.

Layout: `<root>/<kind>/<version>/{meta.json, *.safetensors, ...}` and `<root>/active.json`. A folder is complete once
its `meta.json` is there (it is written last), and it is believed only while every file has the digest written in it.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import RegistryError
from models.registry.base_weights import sha256_file

META: Final = "meta.json"
ACTIVE: Final = "active.json"
_REFUSED_SUFFIXES: Final = (".bin.index", ".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib")
_WEIGHTS: Final = (".safetensors", ".bin", ".xml")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ModelKind(StrEnum):
    """What a version is a version of."""

    ENCODER = "encoder"
    STRATEGIST = "strategist"
    EVALUATOR = "evaluator"
    UNDERSTANDING = "understanding"
    NARRATOR = "narrator"


ORDER: Final = (  # each may need those before it
    ModelKind.ENCODER,
    ModelKind.EVALUATOR,
    ModelKind.STRATEGIST,
    ModelKind.UNDERSTANDING,
    ModelKind.NARRATOR,
)


class ModelMeta(BaseModel):
    """What is known of a version; `files` maps each file to its SHA-256."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ModelKind
    version: str
    created_at: datetime
    trained_on: str
    data_sha256: str
    base: Mapping[str, str]
    config: Mapping[str, str | float | int]
    metrics: Mapping[str, float]
    requires: Mapping[ModelKind, str]
    git_revision: str
    files: Mapping[str, str]


class _Active(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    active: Mapping[ModelKind, str] = {}
    previous: Mapping[ModelKind, str] = {}


def file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a version but its `meta.json`."""
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != META}


def parse_meta(folder: Path) -> ModelMeta:
    """What a version says of itself; its files are not looked at.

    Raises:
        RegistryError: It is missing or incomplete, or cannot be read.
    """
    path = folder / META
    if not path.is_file():
        raise RegistryError(
            f"{folder} holds no {META}: the version is missing or incomplete; remedy: pricesmith prepare"
        )
    try:
        return ModelMeta.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise RegistryError(f"{path}: {error.error_count()} invalid fields, first {error.errors()[0]['loc']}") from None


def read_meta(folder: Path) -> ModelMeta:
    """Read and check one version's folder, every file of it.

    Raises:
        RegistryError: It is missing, incomplete, truncated, tampered with, or holds a pickle.
    """
    path, meta = folder / META, parse_meta(folder)
    for name in meta.files:
        if Path(name).name != name or name.lower().endswith(_REFUSED_SUFFIXES):
            raise RegistryError(f"{path}: file name {name!r} is not allowed in a version (plain names, no pickles)")
    _check_strangers(folder, meta)
    for name, expected in meta.files.items():
        if not (folder / name).is_file():
            raise RegistryError(f"{folder}: {name} is missing; remedy: pricesmith prepare, or activate another version")
        found = sha256_file(folder / name)
        if found != expected:
            raise RegistryError(
                f"{folder / name} has sha256 {found[:12]}…, its meta.json says {expected[:12]}…: truncated or tampered "
                "with; remedy: delete the folder and run pricesmith prepare, or activate another version"
            )
    return meta


def _check_strangers(folder: Path, meta: ModelMeta) -> None:
    """See that nothing lies in a version that could be loaded and that its meta does not vouch for."""
    for path in folder.iterdir():
        unnamed = path.suffix.lower() in _WEIGHTS and path.name not in meta.files
        if unnamed or path.is_symlink() or path.name.lower().endswith(_REFUSED_SUFFIXES):
            raise RegistryError(
                f"{folder} holds {path.name!r}, which is a link, a pickle, or weights that {META} does not name; "
                "remedy: delete the folder and run pricesmith prepare"
            )


class Registry:
    """All versions under one root."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which need not exist yet."""
        self._root = root

    def folder(self, kind: ModelKind, version: str) -> Path:
        """Where a version lies, whether or not it is there.

        Raises:
            RegistryError: The version's name could not be a folder of its own.
        """
        if not _VERSION.fullmatch(version):
            raise RegistryError(f"{version!r} is no version name; allowed: letters, digits, '.', '_', '-', at most 64")
        return self._root / kind / version

    def versions(self, kind: ModelKind) -> list[str]:
        """Complete versions of a kind, by name."""
        folder = self._root / kind
        return sorted(path.parent.name for path in folder.glob(f"*/{META}")) if folder.is_dir() else []

    def has(self, kind: ModelKind, version: str) -> bool:
        """Whether a version is there and complete."""
        return (self.folder(kind, version) / META).is_file()

    def install(self, meta: ModelMeta, write: Callable[[Path], None]) -> Path:
        """Make a version: `write` fills a temporary folder, which then takes its place in one step."""
        target = self.folder(meta.kind, meta.version)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{meta.version}.", dir=target.parent))
        try:
            write(temporary)
            complete = meta.model_copy(update={"files": file_digests(temporary)})
            (temporary / META).write_text(complete.model_dump_json(indent=1) + "\n", "utf-8")
            if target.exists():
                shutil.rmtree(target)
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        return target

    def active(self, kind: ModelKind) -> str:
        """The version in use.

        Raises:
            RegistryError: None is active.
        """
        version = self._state().active.get(kind)
        if version is None:
            raise RegistryError(f"no {kind} is active under {self._root}; remedy: pricesmith prepare")
        return version

    def in_use(self) -> Mapping[ModelKind, str]:
        """Active versions by kind; what changes when something is activated."""
        return dict(self._state().active)

    def is_active(self, kind: ModelKind) -> bool:
        """Whether some version of a kind is in use."""
        return kind in self._state().active

    def activate(self, kind: ModelKind, version: str) -> None:
        """Put a version in use, after all its files and what it requires were checked.

        Raises:
            RegistryError: It is damaged, or needs another version of another kind than is active.
        """
        meta = read_meta(self.folder(kind, version))
        state = self._state()
        for needed_kind, needed in meta.requires.items():
            found = state.active.get(needed_kind)
            if found != needed:
                raise RegistryError(
                    f"{kind} {version} was trained with {needed_kind} {needed}, active is {found}; "
                    f"remedy: activate {needed_kind} {needed} first, or train again"
                )
        previous = dict(state.previous)
        if kind in state.active and state.active[kind] != version:
            previous[kind] = state.active[kind]
        self._write(_Active(active={**state.active, kind: version}, previous=previous))

    def rollback(self, kind: ModelKind) -> str:
        """Go back to the version in use before; returns it.

        Raises:
            RegistryError: There was none, or it is damaged.
        """
        previous = self._state().previous.get(kind)
        if previous is None:
            raise RegistryError(
                f"no earlier {kind} to go back to; versions: {', '.join(self.versions(kind)) or 'none'}"
            )
        self.activate(kind, previous)
        return previous

    def _state(self) -> _Active:
        path = self._root / ACTIVE
        if not path.is_file():
            return _Active()
        try:
            return _Active.model_validate_json(path.read_bytes())
        except ValidationError:
            raise RegistryError(f"{path} is damaged; remedy: delete it and run pricesmith prepare") from None

    def _write(self, state: _Active) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        temporary = self._root / f".{ACTIVE}.{os.getpid()}"
        temporary.write_text(json.dumps(state.model_dump(mode="json"), indent=1) + "\n", "utf-8")
        temporary.replace(self._root / ACTIVE)
