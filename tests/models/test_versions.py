import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.errors import RegistryError
from models.registry import Kind, ModelMeta, Registry
from models.versions import check_complete, install_shipped


def older(kind: Kind, requires: dict[Kind, str] | None = None) -> ModelMeta:
    """A version of an earlier release: fewer files, none of today's."""
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


def test_a_version_of_an_earlier_release_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    install(registry, older(Kind.ENCODER))
    with pytest.raises(RegistryError, match=r"lacks adapter.safetensors.*remedy"):
        check_complete(registry.folder(Kind.ENCODER, "v0"), Kind.ENCODER)


def test_preparing_puts_the_shipped_evaluator_in_place_of_one_made_for_another_encoder(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    install(registry, older(Kind.ENCODER))
    install(registry, older(Kind.EVALUATOR, {Kind.ENCODER: "v0"}))
    shutil.rmtree(registry.folder(Kind.ENCODER, "v0"))
    install_shipped(registry, Kind.ENCODER)
    install_shipped(registry, Kind.EVALUATOR)
    assert registry.active(Kind.ENCODER) != "v0"
    assert registry.active(Kind.EVALUATOR) != "v0"
    again = install_shipped(registry, Kind.EVALUATOR)
    assert not again
