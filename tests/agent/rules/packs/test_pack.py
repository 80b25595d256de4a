"""Packs are data, and invalid data is refused."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from agent.rules.packs import PackError, find_jurisdiction, load_pack, pack_names, protected_attributes
from agent.rules.packs import data_files as pack_source
from agent.rules.packs.pack import ContextKind
from models.strategist.strategy import Lever

ALWAYS = {
    "sex",
    "race",
    "ethnicity",
    "religion",
    "national_origin",
    "disability",
    "health",
    "sexual_orientation",
    "marital_status",
    "family_status",
}


@pytest.mark.parametrize("name", pack_names())
def test_every_pack_protects_the_ten_attributes_and_can_hold_the_reference(name: str) -> None:
    pack = load_pack(name)
    assert set(pack.protected) >= ALWAYS
    assert Lever.HOLD in pack.levers
    assert pack.limits.never_above_reference


def test_the_five_trades_are_there() -> None:
    assert pack_names() == ("ecommerce", "education", "finance", "retail_markdown", "travel")


def test_only_finance_blocks_age_everywhere() -> None:
    assert [name for name in pack_names() if "age" in load_pack(name).protected] == ["finance"]


def test_context_fields_of_a_pack_say_how_they_are_read() -> None:
    context = load_pack("ecommerce").context
    assert context["inventory"].kind is ContextKind.NUMBER
    assert context["deadline"].kind is ContextKind.TIME


def test_an_unknown_pack_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PackError, match="ecommerce, education"):
        load_pack("../ecommerce")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("levers", ["discount"], "hold"),
        ("protected", ["hair"], "unknown attributes"),
        ("objective", "glory", "objective"),
        ("name", "other", "has the name"),
        ("surprise", 1, "surprise"),
        ("limits", {"min_margin_frac": 1.0}, "min_margin_frac"),
    ],
)
def test_a_malformed_pack_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: object, message: str
) -> None:
    good = yaml.safe_load((pack_source.DATA / "ecommerce.yaml").read_text("utf-8"))
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump({**good, "name": "broken", field: value}))
    monkeypatch.setattr(pack_source, "DATA", tmp_path)
    monkeypatch.setattr("agent.rules.packs.pack.DATA", tmp_path)
    with pytest.raises(PackError, match=message):
        load_pack.__wrapped__("broken")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("US-NY", "US-NY"),
        ("us_ny", "US-NY"),
        ("New York", "US-NY"),
        ("NY", "US-NY"),
        ("纽约", "US-NY"),
        ("EU", "EU"),
        ("DE", "EU"),
        ("DE-BY", "EU"),
        ("france", "EU"),
        ("NO", "EU"),
    ],
)
def test_a_place_is_found_by_code_name_or_subdivision(text: str, code: str) -> None:
    place = find_jurisdiction(text, date(2026, 12, 1))
    assert place is not None
    assert place.code == code


@pytest.mark.parametrize("text", [None, "", "US-TX", "US", "CA", "Atlantis", "--"])
def test_a_place_without_rules_is_none(text: str | None) -> None:
    assert find_jurisdiction(text, date(2026, 12, 1)) is None


def test_every_attribute_has_names_in_english_and_chinese() -> None:
    for attribute in protected_attributes().values():
        assert attribute.field_words
        assert attribute.field_parts
