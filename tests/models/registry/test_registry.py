from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from models.errors import RegistryError
from models.registry.registry import ModelKind, ModelMeta, Registry, read_meta


def meta(
    version: str, kind: ModelKind = ModelKind.EVALUATOR, requires: dict[ModelKind, str] | None = None
) -> ModelMeta:
    return ModelMeta(
        kind=kind,
        version=version,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        trained_on="nothing",
        data_sha256="",
        base={},
        config={"steps": 1},
        metrics={"auc": 0.9},
        requires=requires or {},
        git_revision="unknown",
        files={},
    )


def write(folder: Path) -> None:
    save_file({"w": np.arange(8, dtype=np.float32)}, str(folder / "w.safetensors"))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry(tmp_path)
    for version in ("v1", "v2"):
        made.install(meta(version), write)
    made.activate(ModelKind.EVALUATOR, "v1")
    return made


def test_rollback_returns_to_the_version_before(registry: Registry) -> None:
    registry.activate(ModelKind.EVALUATOR, "v2")
    assert registry.rollback(ModelKind.EVALUATOR) == "v1"
    assert registry.active(ModelKind.EVALUATOR) == "v1"


def test_rollback_without_an_earlier_version_is_refused(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="no earlier"):
        registry.rollback(ModelKind.EVALUATOR)


@pytest.mark.parametrize("change", ["truncate", "flip", "delete"])
def test_a_damaged_file_is_refused_with_its_name_and_the_active_version_stays(registry: Registry, change: str) -> None:
    path = registry.folder(ModelKind.EVALUATOR, "v2") / "w.safetensors"
    raw = bytearray(path.read_bytes())
    if change == "truncate":
        path.write_bytes(raw[:-4])
    elif change == "flip":
        raw[-1] ^= 1
        path.write_bytes(raw)
    else:
        path.unlink()
    with pytest.raises(RegistryError, match=r"w\.safetensors"):
        registry.activate(ModelKind.EVALUATOR, "v2")
    assert registry.active(ModelKind.EVALUATOR) == "v1"


@pytest.mark.parametrize(
    "name", ["../evil.safetensors", "model.pkl", "model.pt", "MODEL.PKL", "/etc/passwd", "a/../../b"]
)
def test_meta_that_names_a_path_or_a_pickle_is_refused(registry: Registry, name: str) -> None:
    folder = registry.folder(ModelKind.EVALUATOR, "v2")
    known = read_meta(folder)
    (folder / "meta.json").write_text(known.model_copy(update={"files": {name: "0" * 64}}).model_dump_json(), "utf-8")
    with pytest.raises(RegistryError, match="not allowed"):
        read_meta(folder)


@pytest.mark.parametrize("version", ["", "..", "a/b", "x" * 65])
def test_a_version_is_one_plain_folder_name(registry: Registry, version: str) -> None:
    with pytest.raises(RegistryError, match="not a valid version name"):
        registry.folder(ModelKind.EVALUATOR, version)


def test_a_version_that_needs_another_encoder_is_refused(registry: Registry) -> None:
    registry.install(meta("v3", requires={ModelKind.ENCODER: "e2"}), write)
    with pytest.raises(RegistryError, match="encoder e2"):
        registry.activate(ModelKind.EVALUATOR, "v3")


def test_an_interrupted_install_leaves_no_version(tmp_path: Path) -> None:
    registry = Registry(tmp_path)

    def fail(_folder: Path) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        registry.install(meta("v1"), fail)
    assert registry.versions(ModelKind.EVALUATOR) == []
    assert list((tmp_path / "evaluator").iterdir()) == []


@pytest.mark.parametrize("name", ["extra.safetensors", "extra.BIN", "hook.pkl", "link.json"])
def test_loadable_files_that_meta_does_not_list_are_refused(registry: Registry, tmp_path: Path, name: str) -> None:
    planted = registry.folder(ModelKind.EVALUATOR, "v2") / name
    if name.startswith("link"):
        planted.symlink_to(tmp_path / "elsewhere")
    else:
        planted.write_bytes(b"\x80\x04.")
    with pytest.raises(RegistryError, match=name):
        registry.activate(ModelKind.EVALUATOR, "v2")
    assert registry.active(ModelKind.EVALUATOR) == "v1"


def test_a_version_that_is_not_there_is_refused_with_those_that_are(registry: Registry) -> None:
    there = registry.versions(ModelKind.EVALUATOR)
    with pytest.raises(RegistryError) as raised:
        registry.activate(ModelKind.EVALUATOR, "v99")
    remedy = f"remedy: pricesmith models activate evaluator {there[-1]}"
    assert str(raised.value) == f"there is no evaluator v99; installed: {', '.join(there)}; {remedy}"
    with pytest.raises(RegistryError, match="installed: none; remedy: pricesmith prepare"):
        registry.check_installed(ModelKind.NARRATOR, "v99")
