import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli.main import app


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PRICESMITH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PRICESMITH_PORT", "9")  # RFC 863: nothing listens there


def doctor(*options: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["doctor", *map(str, options)], catch_exceptions=False)
    return done.exit_code, done.stdout


def test_on_an_empty_folder_it_says_what_to_do(tmp_path: Path) -> None:
    code, text = doctor("--data-dir", tmp_path / "new")
    assert code == 1
    lines = text.splitlines()
    assert lines[0].startswith("ok ")
    assert any(line.startswith("problem  models") for line in lines)
    assert any("remedy: pricesmith prepare" in line for line in lines)
    assert any("remedy: pricesmith keys create NAME" in line for line in lines)
    assert lines[-1].startswith("3 problems, ")
    assert list(tmp_path.iterdir()) == []


def test_json_holds_every_finding_and_the_counts(tmp_path: Path) -> None:
    code, text = doctor("--data-dir", tmp_path, "--json")
    found: Any = json.loads(text)
    assert code == 1
    assert found["problems"] == 3
    assert {frozenset(one) for one in found["findings"]} == {frozenset(("check", "level", "detail", "remedy"))}
    levels = [one["level"] for one in found["findings"]]
    assert (levels.count("problem"), levels.count("warning")) == (found["problems"], found["warnings"])


def test_settings_that_are_not_allowed_are_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICESMITH_PORT", "many")
    monkeypatch.setenv("PRICESMITH_THREADS", "0")
    code, text = doctor("--json")
    assert code == 1
    details = [one["detail"] for one in json.loads(text)["findings"]]
    assert [detail.partition("=")[0] for detail in details] == ["PRICESMITH_PORT", "PRICESMITH_THREADS"]
