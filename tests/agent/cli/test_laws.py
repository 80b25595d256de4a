"""`pricesmith rules laws` shows which rules of law hold where, since when, and how their sources were read."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli.main import app


def run(*words: str) -> str:
    found = CliRunner().invoke(app, ["rules", "laws", *words])
    assert found.exit_code == 0, found.output
    return found.output


def facts(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json"))
    return found


def test_all_places_are_listed_as_they_hold_on_a_day() -> None:
    before, after = facts("--on", "2026-09-30"), facts("--on", "2026-10-01")
    assert {"US-CT/1", "US-MD/3"} == {law["name"] for law in after["in_force"]} - {
        law["name"] for law in before["in_force"]
    }
    assert {"US-CT/1", "US-MD/3"} <= {law["name"] for law in before["coming"]}
    text = run("--on", "2026-10-01")
    assert "No legal advice" in text
    assert all(
        word in text for word in ("Connecticut", "raised prices", "lowest of 7 days", "up only with consent", "US-NJ/1")
    )


def test_one_place_is_shown_in_full_with_its_sources_and_how_they_were_read() -> None:
    text = run("California", "--on", "2026-12-01")
    for told in (
        "US-CA/1",
        "section 16729",
        "secondary: The legislative counsel's digest",
        "only public ones",
    ):
        assert told in text
    assert "US-CT/2" in run("Connecticut", "--on", "2026-12-01")


@pytest.mark.parametrize(
    ("place", "day", "name"),
    [("Connecticut", "2026-09-30", "OTHER/1"), ("Atlantis", "2026-12-01", "OTHER/1"), ("DE-BY", "2026-12-01", "EU/2")],
)
def test_a_place_without_rules_of_its_own_shows_those_that_hold_there(place: str, day: str, name: str) -> None:
    found = facts(place, "--on", day)
    assert (found["name"], found["on"], found["place"]) == (name, day, place)
    if place == "Connecticut":
        assert [other["name"] for other in found["other_versions"]] == ["US-CT/1", "US-CT/2"]


def test_a_day_that_is_none_is_refused() -> None:
    found = CliRunner().invoke(app, ["rules", "laws", "--on", "yesterday"])
    assert found.exit_code == 2
    assert "%Y-%m-%d" in found.output
