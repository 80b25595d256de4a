import json

import pytest
from typer.testing import CliRunner

from agent.cli import prompts as command
from agent.cli.prompts import app
from agent.explain.narration import narratable
from agent.explain.questions import QuestionKind
from agent.training.synthetic_facts import random_table
from prompts import PromptError, golden, load_prompt, prompt_versions


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_published_prompt_is_listed_and_passes_its_test() -> None:
    assert [row["prompt"] for row in json.loads(run("list", "--json"))] == prompt_versions()
    assert set(json.loads(run("test", "--json")).values()) == {"ok"}


def test_show_prints_the_text_and_diff_of_a_version_with_itself_is_empty() -> None:
    assert "{kind}: {facts}. answer:" in run("show", "explanation/v001")
    assert run("diff", "explanation/v001", "explanation/v001") == ""
    assert "+{kind}: {facts}. answer:" in run("diff", "strategist/v001", "explanation/v001")


def test_a_prompt_that_renders_otherwise_than_its_golden_text_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    meant = golden("strategist", 2)
    other = meant.model_copy(update={"text": meant.text.replace("rival", "competitor")})
    monkeypatch.setattr(
        command, "golden", lambda name, version: other if name == "strategist" else golden(name, version)
    )
    done = CliRunner().invoke(app, ["test", "--json"])
    assert done.exit_code == 1
    assert "competitor" in json.loads(done.output)["strategist/v002"]


def test_a_prompt_without_a_golden_text_is_told_so() -> None:
    with pytest.raises(PromptError, match="strategist-v999"):
        golden("strategist", 999)


@pytest.mark.parametrize("label", ["nothing", "strategist/v999", "../strategist/v001"])
def test_an_unknown_prompt_is_refused(label: str) -> None:
    with pytest.raises(PromptError):
        CliRunner().invoke(app, ["show", label], catch_exceptions=False)


def test_the_explanation_prompt_renders_as_it_did_when_the_narrator_was_trained() -> None:
    asked = narratable(random_table(QuestionKind.ABOVE_REFERENCE, 1), load_prompt("explanation", 1))
    assert asked is not None
    assert asked.prompt == "above reference: since, until, quotes, above quotes, above shoppers. answer:"
