"""The import script's commands, run in this process: each would else load the models anew."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from tests.examples.conftest import EXAMPLES
from tests.prepared import World


def commands() -> list[list[str]]:
    lines = (EXAMPLES / "own_data" / "import.sh").read_text().splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("pricesmith ")]


def test_the_script_imports_every_row_and_ends_with_a_price(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in own.folder.glob("pricesmith.db*"):
        path.unlink()
    for name in ("indexes", "learning"):
        for path in sorted((own.folder / name).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    monkeypatch.setenv("PRICESMITH_DATA_DIR", str(own.folder))
    monkeypatch.setenv("PRICESMITH_DEFAULT_DEADLINE_MS", "30000")
    monkeypatch.chdir(Path(EXAMPLES).parent)
    *imports, quote = commands()
    assert [words[1] for words in imports] == ["products", "events", "outcomes"]
    for words in imports:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        assert "bad              0" in done.output
    priced = CliRunner().invoke(app, quote)
    assert priced.exit_code == 0, priced.output
    assert "kettle-1" in priced.output
    assert "EUR" in priced.output
