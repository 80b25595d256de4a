"""Fact table: everything that an answer may state, computed and typed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from agent.explain.questions import Audience, QuestionKind

DATA: Final = Path(__file__).parent / "data"
_HIDDEN_WORDS: Final = frozenset(
    ("input.cost", "scenario.cost", "held.unknown_cost", "held.cost_not_covered", "missing.cost", "reason.limits")
)


class Unit(StrEnum):
    """Unit of a value.

    MONEY is whole minor units, EXPECTED_MONEY fractional ones; PROBABILITY is 0-1, PERCENT a percent number; WORD
    and WORDS are codes with a text in each language; NAME and NAMES stand as they are.
    """

    MONEY = "money"
    EXPECTED_MONEY = "expected_money"
    PERCENT = "percent"
    PROBABILITY = "probability"
    COUNT = "count"
    DATE = "date"
    WORD = "word"
    WORDS = "words"
    NAME = "name"
    NAMES = "names"


class Definition(BaseModel):
    """Unit, audience and names of a fact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Unit
    merchant_only: bool = False
    en: str
    zh: str


Value = int | float | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact; `data/facts.yaml` defines its key."""

    key: str
    value: Value

    @property
    def definition(self) -> Definition:
        """Definition of the key."""
        return definitions()[self.key]

    @property
    def unit(self) -> Unit:
        """Unit of the value."""
        return self.definition.unit


@dataclass(frozen=True, slots=True)
class FactTable:
    """The facts of one answer. All money is in `currency`."""

    kind: QuestionKind
    currency: str
    facts: tuple[Fact, ...]

    @classmethod
    def of(cls, kind: QuestionKind, currency: str, facts: Iterable[Fact]) -> "FactTable":
        """Build a table of distinct facts; the first of each key is kept.

        Raises:
            KeyError: A key is not defined.
        """
        found: dict[str, Fact] = {}
        for fact in facts:
            found.setdefault(fact.key, fact)
            _ = fact.definition
        return cls(kind, currency, tuple(found.values()))

    def get(self, key: str) -> Fact | None:
        """A fact by key."""
        return next((fact for fact in self.facts if fact.key == key), None)

    @property
    def keys(self) -> frozenset[str]:
        """Keys that have a value."""
        return frozenset(fact.key for fact in self.facts)

    def seen_by(self, audience: Audience) -> "FactTable":
        """Facts that an audience may see: for shoppers no cost, profit or limits, nor mention of them."""
        if audience is Audience.MERCHANT:
            return self
        kept = []
        for fact in self.facts:
            if fact.definition.merchant_only or fact.value in _HIDDEN_WORDS:
                continue
            if fact.unit is Unit.WORDS and isinstance(fact.value, tuple):
                fact = replace(fact, value=tuple(word for word in fact.value if word not in _HIDDEN_WORDS))
            kept.append(fact)
        return replace(self, facts=tuple(kept))


@cache
def definitions() -> Mapping[str, Definition]:
    """All fact definitions, by key."""
    raw = yaml.safe_load((DATA / "facts.yaml").read_text("utf-8"))
    return TypeAdapter(dict[str, Definition]).validate_python(raw)
