import json
from pathlib import Path

import pytest

from eval.gate import Gate, GateError, Summary, finish, load_baseline
from tests.eval.gate.test_compare import passes, summary


def test_a_run_is_stored_under_its_version_key_with_its_log(tmp_path: Path) -> None:
    logs = tmp_path / "log"
    logs.mkdir()
    (logs / "cases.json").write_text("{}")
    made = summary(passes(5))
    finish(made, Gate(), tmp_path / "eval", quiet=True, logs=logs)
    (stored,) = (tmp_path / "eval" / "runs" / "prompts").iterdir()
    assert stored.name.endswith(made.versions.key)
    assert Summary.load(stored / "summary.json") == made
    assert (stored / "log" / "cases.json").is_file()


@pytest.mark.parametrize(
    "field", [{"models": {"evaluator": "v4"}}, {"prompts": ["strategist/v003"]}, {"revision": "b"}]
)
def test_the_key_changes_with_every_version(field: dict[str, object]) -> None:
    versions = summary({}).versions
    assert versions.key != versions.model_copy(update=field).key
    assert versions.key == versions.model_copy().key


def test_a_saved_baseline_is_found_by_name_and_by_file(tmp_path: Path) -> None:
    made = summary(passes(5))
    finish(made, Gate(save="main"), tmp_path, quiet=True)
    assert load_baseline("prompts", "main", tmp_path) == made
    assert load_baseline("prompts", str(tmp_path / "baselines" / "prompts" / "main.json"), tmp_path) == made


def test_the_report_shows_what_got_worse_and_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(summary(passes(60, range(50, 55))), Gate(save="main"), tmp_path, quiet=True)
    found = finish(summary(passes(60, range(20))), Gate(baseline="main"), tmp_path, quiet=False)
    assert found is not None
    assert found.regressions
    output = capsys.readouterr().out
    assert "got worse" in output
    assert "c0 answered 0.0" in output
    assert "got better" in output
    (page,) = tmp_path.glob("runs/prompts/*/comparison.html")
    assert "c0 answered 0.0" in page.read_text()
    (facts,) = tmp_path.glob("runs/prompts/*/comparison.json")
    assert json.loads(facts.read_text())["regressions"] == found.regressions


@pytest.mark.parametrize("name", ["nowhere", "nowhere.json"])
def test_a_missing_baseline_is_reported_before_anything_runs(name: str, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="--save-baseline"):
        Gate(baseline=name).check("prompts", tmp_path)


def test_a_name_that_could_leave_its_folder_is_refused() -> None:
    with pytest.raises(GateError, match="allowed"):
        Gate(save="../main")


def test_a_file_that_is_not_a_summary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(GateError, match="not a run summary"):
        load_baseline("prompts", str(tmp_path / "x.json"), tmp_path)
