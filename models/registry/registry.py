"""Registry of trained model versions: folders of safetensors with a validated `meta.json`, one active per kind.

Layout: `<root>/<kind>/<version>/{meta.json, *.safetensors, ...}` and `<root>/active.json`. `meta.json` is written last,
so a folder that has it is complete; a version is accepted only if every file has the SHA-256 that `meta.json` lists.
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
_REPAIR: Final = (
    "remedy: pricesmith prepare repairs a version that came with Pricesmith; pricesmith models rollback KIND leaves "
    "one of your own"
)
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ModelKind(StrEnum):
    """Kinds of trained models."""

    ENCODER = "encoder"
    STRATEGIST = "strategist"
    EVALUATOR = "evaluator"
    UNDERSTANDING = "understanding"
    NARRATOR = "narrator"


ORDER: Final = (  # a kind may require only kinds before it
    ModelKind.ENCODER,
    ModelKind.EVALUATOR,
    ModelKind.STRATEGIST,
    ModelKind.UNDERSTANDING,
    ModelKind.NARRATOR,
)


class ModelMeta(BaseModel):
    """Contents of `meta.json`: origin, settings and metrics of a version.

    Attributes:
        data_sha256: Hash of the training data.
        base: SHA-256 of the base weights by name.
        requires: Versions of other kinds that must be active with this one.
        files: SHA-256 of each file.
    """

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
    """Compute the SHA-256 of every file of a version except `meta.json`."""
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name != META}


def parse_meta(folder: Path) -> ModelMeta:
    """Read `meta.json` without checking the files.

    Raises:
        RegistryError: `meta.json` is missing or invalid.
    """
    path = folder / META
    if not path.is_file():
        raise RegistryError(f"{folder} has no {META}: the version is missing or incomplete; remedy: pricesmith prepare")
    try:
        return ModelMeta.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise RegistryError(
            f"{path}: {error.error_count()} invalid fields; the first is {name!r}: {first['msg']}; {_REPAIR}"
        ) from None


def read_meta(folder: Path) -> ModelMeta:
    """Read `meta.json` of a version and verify every file.

    Raises:
        RegistryError: The version is missing, incomplete, truncated or altered, or contains a pickle.
    """
    path, meta = folder / META, parse_meta(folder)
    for name in meta.files:
        if Path(name).name != name or name.lower().endswith(_REFUSED_SUFFIXES):
            raise RegistryError(
                f"{path}: file name {name!r} is not allowed; allowed: names without a path that are not pickles; "
                f"{_REPAIR}"
            )
    _check_unlisted_files(folder, meta)
    for name, expected in meta.files.items():
        if not (folder / name).is_file():
            raise RegistryError(f"{folder}: {name} is missing; {_REPAIR}")
        found = sha256_file(folder / name)
        if found != expected:
            raise RegistryError(
                f"{folder / name} has SHA-256 {found[:12]}…; {META} says: {expected[:12]}…; the file was truncated or "
                f"tampered with; {_REPAIR}"
            )
    return meta


def _check_unlisted_files(folder: Path, meta: ModelMeta) -> None:
    """Refuse loadable files that `meta.json` does not list, links and pickles."""
    for path in folder.iterdir():
        unlisted = path.suffix.lower() in _WEIGHTS and path.name not in meta.files
        if unlisted or path.is_symlink() or path.name.lower().endswith(_REFUSED_SUFFIXES):
            raise RegistryError(
                f"{folder} contains {path.name!r}, which is a link, a pickle, or weights that {META} does not list; "
                f"{_REPAIR}"
            )


class Registry:
    """Model versions under one root folder."""

    def __init__(self, root: Path) -> None:
        """Use folder `root`, which need not exist yet."""
        self._root = root

    def folder(self, kind: ModelKind, version: str) -> Path:
        """Folder of a version, which need not exist.

        Raises:
            RegistryError: The version name is not a valid folder name.
        """
        if not _VERSION.fullmatch(version):
            raise RegistryError(
                f"{version!r} is not a valid version name; allowed: at most 64 letters, digits, '.', '_' and '-', the "
                "first a letter or digit"
            )
        return self._root / kind / version

    def versions(self, kind: ModelKind) -> list[str]:
        """Complete versions of a kind, sorted by name."""
        folder = self._root / kind
        return sorted(path.parent.name for path in folder.glob(f"*/{META}")) if folder.is_dir() else []

    def has(self, kind: ModelKind, version: str) -> bool:
        """Whether a version is installed and complete."""
        return (self.folder(kind, version) / META).is_file()

    def check_installed(self, kind: ModelKind, version: str) -> None:
        """Check that a version exists, whatever its files hold.

        Raises:
            RegistryError: It does not; the message lists those that do.
        """
        if self.has(kind, version):
            return
        there = self.versions(kind)
        remedy = f"pricesmith models activate {kind} {there[-1]}" if there else "pricesmith prepare"
        raise RegistryError(f"there is no {kind} {version}; installed: {', '.join(there) or 'none'}; remedy: {remedy}")

    def install(self, meta: ModelMeta, write: Callable[[Path], None]) -> Path:
        """Install a version: `write` fills a temporary folder, which is then renamed to its final name."""
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
        """Active version of a kind.

        Raises:
            RegistryError: No version is active.
        """
        version = self._state().active.get(kind)
        if version is None:
            raise RegistryError(f"no version of {kind} is active under {self._root}; remedy: pricesmith prepare")
        return version

    def active_folder(self, kind: ModelKind) -> Path:
        """Folder of the active version of a kind.

        Raises:
            RegistryError: No version is active.
        """
        return self.folder(kind, self.active(kind))

    def in_use(self) -> Mapping[ModelKind, str]:
        """Active versions by kind."""
        return dict(self._state().active)

    def is_active(self, kind: ModelKind) -> bool:
        """Whether a version of a kind is active."""
        return kind in self._state().active

    def activate(self, kind: ModelKind, version: str) -> None:
        """Activate a version after checking all its files and the versions that it requires.

        Raises:
            RegistryError: The version is damaged, or requires a version of another kind that is not active.
        """
        self.check_installed(kind, version)
        meta = read_meta(self.folder(kind, version))
        state = self._state()
        for needed_kind, needed in meta.requires.items():
            found = state.active.get(needed_kind)
            if found != needed:
                raise RegistryError(
                    f"{kind} {version} was trained with {needed_kind} {needed}; active: {found}; "
                    f"remedy: pricesmith models activate {needed_kind} {needed} first, or train {kind} again"
                )
        previous = dict(state.previous)
        if kind in state.active and state.active[kind] != version:
            previous[kind] = state.active[kind]
        self._write(_Active(active={**state.active, kind: version}, previous=previous))

    def rollback(self, kind: ModelKind) -> str:
        """Activate the previously active version and return it.

        Raises:
            RegistryError: There is no previous version, or it is damaged.
        """
        previous = self._state().previous.get(kind)
        if previous is None:
            raise RegistryError(
                f"no earlier version of {kind} was active; installed: {', '.join(self.versions(kind)) or 'none'}; "
                f"remedy: pricesmith models activate {kind} VERSION"
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
            raise RegistryError(
                f"{path} is not a valid list of active versions; remedy: delete it and run pricesmith prepare"
            ) from None

    def _write(self, state: _Active) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        temporary = self._root / f".{ACTIVE}.{os.getpid()}"
        temporary.write_text(json.dumps(state.model_dump(mode="json"), indent=1) + "\n", "utf-8")
        temporary.replace(self._root / ACTIVE)
