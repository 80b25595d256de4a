import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.store.data_folder import DataFolder
from models.errors import RegistryError
from models.registry.registry import ModelKind, ModelMeta, Registry, read_meta
from models.registry.versions import check_complete, check_prompt, install_deltas, install_shipped, shipped_meta
from prompts import load_prompt
from tests.prepared import World, linked


def older(kind: ModelKind, requires: dict[ModelKind, str] | None = None) -> ModelMeta:
    """Metadata of a version made by an earlier release, which lacks today's files."""
    return ModelMeta(
        kind=kind,
        version="v0",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        trained_on="nothing",
        data_sha256="",
        base={},
        config={},
        metrics={},
        requires=requires or {},
        git_revision="unknown",
        files={},
    )


def install(registry: Registry, meta: ModelMeta) -> None:
    def write(folder: Path) -> None:
        (folder / "evaluator.safetensors").write_bytes(b"old")

    registry.install(meta, write)
    registry.activate(meta.kind, meta.version)


def bring(world: World, registry: Registry, kind: ModelKind) -> None:
    """Put the shipped version there as it was prepared, not in use: its runtime files take ten seconds to make."""
    version = shipped_meta(kind).version
    source = Registry(DataFolder(world.folder).models).folder(kind, version)
    shutil.copytree(source, registry.folder(kind, version), copy_function=linked)


def test_a_version_of_an_earlier_release_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    install(registry, older(ModelKind.ENCODER))
    with pytest.raises(RegistryError, match=r"lacks adapter.safetensors.*remedy"):
        check_complete(registry.folder(ModelKind.ENCODER, "v0"), ModelKind.ENCODER)


def test_preparing_replaces_an_evaluator_trained_with_another_encoder_by_the_shipped_one(
    world: World, tmp_path: Path
) -> None:
    registry = Registry(tmp_path)
    bring(world, registry, ModelKind.ENCODER)
    install(registry, older(ModelKind.ENCODER))
    install(registry, older(ModelKind.EVALUATOR, {ModelKind.ENCODER: "v0"}))
    shutil.rmtree(registry.folder(ModelKind.ENCODER, "v0"))
    install_shipped(registry, ModelKind.ENCODER)
    install_shipped(registry, ModelKind.EVALUATOR)
    assert registry.active(ModelKind.ENCODER) != "v0"
    assert registry.active(ModelKind.EVALUATOR) != "v0"
    again = install_shipped(registry, ModelKind.EVALUATOR)
    assert not again


def strategist(prompt: str) -> ModelMeta:
    return older(ModelKind.STRATEGIST).model_copy(update={"config": {"prompt": prompt}})


def test_a_strategist_of_another_prompt_is_refused_with_both_and_a_remedy() -> None:
    check_prompt(strategist("strategist/v002@ab"), "strategist/v002@ab")
    with pytest.raises(RegistryError, match=r"trained on prompt strategist/v001@cd.*strategist/v002@ab.*prepare"):
        check_prompt(strategist("strategist/v001@cd"), "strategist/v002@ab")
    with pytest.raises(RegistryError, match="earlier release"):
        check_prompt(older(ModelKind.STRATEGIST), "strategist/v002@ab")


def test_preparing_replaces_a_strategist_of_an_older_prompt_by_the_shipped_one(world: World, tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    bring(world, registry, ModelKind.STRATEGIST)

    def write(folder: Path) -> None:
        (folder / "delta.safetensors").write_bytes(b"old")

    registry.install(strategist("strategist/v001@cd"), write)
    registry.activate(ModelKind.STRATEGIST, "v0")
    install_shipped(registry, ModelKind.STRATEGIST)
    shipped = registry.active(ModelKind.STRATEGIST)
    assert shipped != "v0"
    assert (
        read_meta(registry.folder(ModelKind.STRATEGIST, shipped)).config["prompt"] == load_prompt("strategist", 2).label
    )


def test_runtime_files_beside_the_deltas_are_copied_unchanged(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for name in ("delta.safetensors", "strategist.safetensors", "tokenizer.json"):
        (made / name).write_bytes(name.encode())
    folder = install_deltas(Registry(tmp_path / "models"), older(ModelKind.STRATEGIST), made)
    assert (folder / "strategist.safetensors").read_bytes() == b"strategist.safetensors"


def test_models_that_were_built_before_are_copied_and_a_damaged_copy_is_repaired(world: World, tmp_path: Path) -> None:
    registry, built = Registry(tmp_path), world.folder / "models"
    assert all(install_shipped(registry, kind, built) for kind in (ModelKind.ENCODER, ModelKind.EVALUATOR))
    version = registry.active(ModelKind.ENCODER)
    theirs, copied = Registry(built).folder(ModelKind.ENCODER, version), registry.folder(ModelKind.ENCODER, version)
    assert (copied / "encoder.bin").stat().st_ino != (theirs / "encoder.bin").stat().st_ino
    assert (copied / "encoder.bin").read_bytes() == (theirs / "encoder.bin").read_bytes()
    (copied / "encoder.bin").write_bytes(b"damaged")
    assert install_shipped(registry, ModelKind.ENCODER, built)
    read_meta(copied)
    assert not install_shipped(registry, ModelKind.ENCODER, built)
