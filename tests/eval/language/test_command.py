"""The whole command on the shipped models: an identical run passes; a worse model or prompt exits with code 1.

The loss from a broken prompt is significant on all cases, but not on the fifth that a quick run has.
"""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner, Result

from agent.cli.main import app as commands
from models.registry.registry import ModelKind, Registry, read_meta
from tests.prepared import World, linked

PROPOSALS = ("--only", "proposals")
slow = pytest.mark.slow  # each run has all 82 proposal cases and takes half a minute


def run_prompts(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(commands, ["eval", "prompts", *options, "--data-dir", str(folder)])


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy of the models, and a baseline of the proposals."""
    root = tmp_path_factory.mktemp("evals") / "data"
    shutil.copytree(world.folder / "models", root / "models", copy_function=linked)
    done = run_prompts(root, *PROPOSALS, "--save-baseline", "main")
    assert done.exit_code == 0, done.output
    return root


@slow
def test_an_identical_run_passes_and_is_stored(folder: Path) -> None:
    done = run_prompts(folder, *PROPOSALS, "--baseline", "main")
    assert done.exit_code == 0, done.output
    (page, *_) = folder.glob("eval/runs/prompts/*/comparison.html")
    assert "nothing got worse" in page.read_text()
    assert list(folder.glob("eval/runs/prompts/*/log/*.json"))


@slow
def test_a_broken_prompt_exits_1(folder: Path, tmp_path: Path) -> None:
    text = (Path("prompts") / "strategist" / "v002.yaml").read_text()
    broken = tmp_path / "draft.yaml"
    broken.write_text(
        text.replace(
            "cost {cost_pct}, elasticity {elasticity}, sales {sales}",
            "sales {cost_pct}, cost {sales}, elasticity {stock}",
        ).replace("stock {stock}", "stock {elasticity}")
    )
    done = run_prompts(folder, *PROPOSALS, "--baseline", "main", "--prompt", str(broken))
    assert done.exit_code == 1
    assert "proposals: direction: lost" in done.output


@slow
def test_a_worsened_model_exits_1(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(folder, root, copy_function=linked)
    registry = Registry(root / "models")
    own = registry.folder(ModelKind.STRATEGIST, registry.active(ModelKind.STRATEGIST))

    def noisy(target: Path) -> None:
        for path in own.iterdir():
            shutil.copy2(path, target / path.name)
        torch.manual_seed(3)
        for name in ("strategist.safetensors", "numbers.safetensors"):
            tensors = load_file(str(own / name))
            worse = {key: t + 3 * t.float().std(correction=0) * torch.randn(t.shape) for key, t in tensors.items()}
            save_file({key: t.to(tensors[key].dtype) for key, t in worse.items()}, target / name)

    registry.install(read_meta(own).model_copy(update={"version": "noisy"}), noisy)
    registry.activate(ModelKind.STRATEGIST, "noisy")
    done = run_prompts(root, *PROPOSALS, "--baseline", "main")
    assert done.exit_code == 1
    assert "regression: proposals" in done.output


def test_unknown_suites_are_rejected_with_the_allowed_ones(tmp_path: Path) -> None:
    done = run_prompts(tmp_path, "--only", "poems")
    assert done.exit_code == 2
    assert "poems" in done.output
