"""Help texts and shell completion, of every command there is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from agent.cli.exit_codes import MEANINGS
from agent.cli.main import COMMANDS, app


def all_commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with the words that call it."""
    yield words, command
    if hasattr(command, "list_commands"):
        context = command.context_class(command, info_name="pricesmith")
        for name in command.list_commands(context):
            yield from all_commands(command.get_command(context, name), (*words, name))


EVERY = dict(all_commands(typer.main.get_command(app)))
GROUPS = [words for words, command in EVERY.items() if hasattr(command, "list_commands")]
LEAVES = [words for words in EVERY if words not in GROUPS]


def help_of(words: tuple[str, ...]) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], catch_exceptions=False, prog_name="pricesmith")
    assert done.exit_code == 0
    return done.output


def complete(line: str) -> list[str]:
    """The words that bash is offered for the last word of a line."""
    words = line.split(" ")
    settings = {"_PRICESMITH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    command = [sys.executable, "-m", "agent.cli"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.split()


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_list_of_commands_says_what_each_says_of_itself(entry: Any) -> None:
    assert (EVERY[entry.name,].help or "").partition("\n")[0] == entry.summary


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_no_line_in_a_list_of_commands_is_cut(words: tuple[str, ...]) -> None:
    assert "..." not in help_of(words).partition("Commands:")[2]


def test_commands_stand_under_headings_and_exit_codes_below() -> None:
    text = help_of(())
    for heading in (*dict.fromkeys(entry.section for entry in COMMANDS), "Exit codes"):
        assert f"\n{heading}:\n" in text
    for code in MEANINGS:
        assert f"\n  {code:>3}  " in text
    assert "eval       Measure prompts, models and policies" in text


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_has_an_example_that_calls_it_and_takes_json(words: tuple[str, ...]) -> None:
    command = EVERY[words]
    assert f"Example: pricesmith {' '.join(words)}" in (command.help or "")
    assert "--json" in {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_parameter_is_explained(words: tuple[str, ...]) -> None:
    unexplained = [one.name for one in EVERY[words].params if not getattr(one, "help", None)]
    assert unexplained == []


def test_a_mistyped_command_is_corrected() -> None:
    done = CliRunner().invoke(app, ["kesy"])
    assert done.exit_code == 2
    assert "Did you mean 'keys'?" in done.output


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("pricesmith mod", ["models"]),
        ("pricesmith ev", ["eval"]),
        ("pricesmith keys rot", ["rotate", "rotate-signing"]),
        ("pricesmith quote --ur", ["--url"]),
        ("pricesmith explain --audience sh", ["shopper"]),
    ],
    ids=["a command", "of another package", "in a group", "an option", "a value"],
)
def test_bash_completes(line: str, offered: list[str]) -> None:
    assert complete(line) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_for_a_shell(shell: str) -> None:
    command = [sys.executable, "-m", "agent.cli", "--show-completion"]
    settings = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, shell], env=os.environ | settings, capture_output=True, text=True, check=True
    )
    assert "_PRICESMITH_COMPLETE" in done.stdout
