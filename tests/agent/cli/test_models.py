import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from agent.cli.main import app
from agent.store.data_folder import DataFolder
from models.registry.registry import ModelKind, Registry
from models.registry.versions import install_deltas, shipped_meta


def use(folder: Path, **changes: object) -> None:
    """The shipped evaluator, which needs no conversion, changed, on its own and in use."""
    registry = Registry(DataFolder(folder).models)
    update = {"version": "mine", "files": {}, "requires": {}, **changes}
    with as_file(files("models") / "shipped" / "evaluator") as shipped:
        install_deltas(registry, shipped_meta(ModelKind.EVALUATOR).model_copy(update=update), shipped)
    registry.activate(ModelKind.EVALUATOR, "mine")


def compare(folder: Path) -> tuple[int, dict[str, list[Any]]]:
    done = CliRunner().invoke(app, ["models", "compare", "evaluator", "--data-dir", str(folder), "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_the_shipped_version_compares_well_with_itself(tmp_path: Path) -> None:
    use(tmp_path)
    code, found = compare(tmp_path)
    assert code == 0
    assert all(row["within"] for row in found["metrics"])


def test_a_metric_that_came_out_otherwise_ends_with_an_error(tmp_path: Path) -> None:
    use(tmp_path, metrics=dict(shipped_meta(ModelKind.EVALUATOR).metrics) | {"log_loss": 0.0248})
    code, found = compare(tmp_path)
    assert code == 1
    assert [row["metric"] for row in found["metrics"] if not row["within"]] == ["log_loss"]


def test_another_training_is_not_compared_as_if_it_were_the_same(tmp_path: Path) -> None:
    use(tmp_path, config=dict(shipped_meta(ModelKind.EVALUATOR).config) | {"epochs": 6})
    code, found = compare(tmp_path)
    assert code == 1
    assert found["otherwise"] == ["evaluator: epochs is 6, shipped 4"]
