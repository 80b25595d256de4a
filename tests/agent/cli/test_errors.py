"""Errors end with one message and the exit code that the table says."""

from importlib import import_module
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from typer.testing import CliRunner

from agent.cli import main as command_line
from agent.cli.errors import EXPECTED, CommandError, exit_code_of, message_of, report
from agent.cli.exit_codes import MEANINGS, ExitCode
from agent.cli.main import app
from agent.service.settings_reading import SettingsError
from agent.store import StoreError, StoreUnavailable
from models.errors import RegistryError


class Limits(BaseModel):
    """Something to get wrong."""

    low: int
    high: int


def invalid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Limits.model_validate({"low": "three"})
    return caught.value


@pytest.mark.parametrize("name", EXPECTED)
def test_every_expected_error_is_a_class_that_exists(name: str) -> None:
    module, _, attribute = name.partition(":")
    found = getattr(import_module(module), attribute)
    assert issubclass(found, Exception)
    assert f"{found.__module__}:{found.__qualname__}" == name


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreError("x"), ExitCode.FAILED),
        (StoreUnavailable("x"), ExitCode.UNAVAILABLE),
        (RegistryError("x"), ExitCode.FAILED),
        (SettingsError(["x"]), ExitCode.USAGE),
        (FileNotFoundError(2, "No such file", "a.csv"), ExitCode.FAILED),
        (invalid(), ExitCode.FAILED),
        (KeyError("x"), None),
        (OSError("x"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_has_the_exit_code_of_its_nearest_known_class(error: Exception, code: ExitCode | None) -> None:
    assert exit_code_of(error) == code


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_each_invalid_field_has_a_line_with_what_was_given() -> None:
    assert message_of(invalid()).splitlines() == [
        "the input is not valid:",
        "  low: Input should be a valid integer, unable to parse string as an integer (given: three)",
        "  high: Field required",
    ]


def test_a_missing_file_is_named() -> None:
    message = message_of(FileNotFoundError(2, "No such file or directory", "a.csv"))
    assert message.startswith("a.csv: No such file or directory; remedy: check the name")


def test_an_expected_error_is_one_message_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(CommandError("nothing to do; remedy: do something")) is ExitCode.FAILED
    assert capsys.readouterr().err == "pricesmith: nothing to do; remedy: do something\n"


def test_a_bug_shows_its_traceback_and_has_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_options: str) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(command_line, "app", broken)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == ExitCode.BUG
    told = capsys.readouterr().err
    assert "ZeroDivisionError: by nothing" in told
    assert "this is a bug in Pricesmith" in told


def test_a_bad_setting_is_named_with_its_value_unless_it_may_be_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRICESMITH_PORT", "99999")
    monkeypatch.setenv("PRICESMITH_WRITER_URL", "user:secret@host")
    done = CliRunner().invoke(app, ["keys", "list", "--data-dir", str(tmp_path)])
    assert isinstance(done.exception, SettingsError)
    assert "PRICESMITH_PORT='99999': allowed: a whole number from 1 to 65535" in done.exception.problems
    assert "secret" not in str(done.exception)
    assert "PRICESMITH_WRITER_URL (16 characters): " in str(done.exception)
