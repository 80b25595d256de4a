"""Every setting: a bad value is named with its variable and what is allowed, whoever starts the service."""

import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.asgi import create
from agent.service.settings import Settings
from agent.service.settings_reading import (
    SETTINGS_FILE,
    SettingsError,
    allowed_values,
    known_variables,
    near_miss,
    read_settings,
)

ANY_TEXT = {"data_dir", "database_url", "writer_model", "writer_key", "built_models_dir", "encoder"}
"""Settings whose every text means something; the database and the encoder are checked where they are opened."""
BAD = {"host": " ", "bootstrap_key": "short", "pack": "bakery", "merchant": "Shop 1", "currency": "euro"}
OWN_WORDS = {"exploration": "off, cautious, normal", "port": "from 1 to 65535", "pack": "ecommerce"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("PRICESMITH_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - ANY_TEXT))
def test_a_bad_value_names_the_variable_and_what_is_allowed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"PRICESMITH_{name.upper()}"
    monkeypatch.setenv(variable, BAD.get(name, "a bad value"))
    with pytest.raises(SettingsError) as raised:
        read_settings()
    message = str(raised.value)
    assert message.startswith(variable)
    assert f"allowed: {allowed_values(name)}" in message
    assert OWN_WORDS.get(name, "") in message
    assert "remedy" in message
    assert "\n" not in message
    assert "pydantic" not in message
    assert "short" not in message


@given(st.text(string.printable.strip(), max_size=12))
def test_no_port_ends_in_anything_but_a_number_or_a_named_problem(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRICESMITH_PORT", text)
        try:
            assert 1 <= read_settings().port <= 65_535
        except SettingsError as error:
            assert error.problems[0].startswith("PRICESMITH_PORT")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_weight_is_a_finite_number(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICESMITH_WEIGHT_PROFIT", value)
    with pytest.raises(SettingsError, match="PRICESMITH_WEIGHT_PROFIT"):
        read_settings()


def test_another_asgi_server_gets_the_same_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICESMITH_EXPLORATION", "x")
    with pytest.raises(SettingsError, match="PRICESMITH_EXPLORATION='x': allowed: off, cautious, normal"):
        create()


def test_a_service_link_of_kubernetes_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICESMITH_PORT", "tcp://10.0.0.1:8000")
    with pytest.raises(SettingsError, match="set enableServiceLinks to false"):
        read_settings()


def test_the_settings_file_holds_below_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / SETTINGS_FILE).write_text("# ours\nPRICESMITH_PORT=8100\n\nPRICESMITH_CURRENCY=EUR\n")
    settings = read_settings(tmp_path)
    assert (settings.port, settings.currency, settings.data_dir) == (8100, "EUR", tmp_path)
    monkeypatch.setenv("PRICESMITH_PORT", "8200")
    monkeypatch.setenv("PRICESMITH_DATA_DIR", str(tmp_path))
    assert (read_settings().port, read_settings().currency) == (8200, "EUR")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("PRICESMITH_PROT=8100", "did you mean PRICESMITH_PORT?"),
        ("PRICESMITH_DATA_DIR=/elsewhere", "without PRICESMITH_DATA_DIR"),
        ("no setting at all", "allowed: NAME=value"),
    ],
)
def test_a_line_of_the_file_that_sets_nothing_is_named(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / SETTINGS_FILE).write_text(f"# ours\n{line}\n")
    with pytest.raises(SettingsError, match="line 2") as raised:
        read_settings(tmp_path)
    assert said in str(raised.value)


def test_several_problems_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICESMITH_PORT", "abc")
    monkeypatch.setenv("PRICESMITH_THREADS", "many")
    with pytest.raises(SettingsError) as raised:
        read_settings()
    assert len(raised.value.problems) == 2


def test_a_slip_is_told_from_another_word() -> None:
    assert near_miss("PRICESMITH_TREADS", known_variables()) == "PRICESMITH_THREADS"
    assert near_miss("PRICESMITH_PORT_8000_TCP_ADDR", known_variables()) is None
