"""Narration: facts to a prompt of references, and the narrator's text back to one with values.

The prompt holds the kind of the question and the names of the facts, nothing that a shopper, a merchant or the web
wrote: there is nothing in it that could instruct the model.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import yaml
from pydantic import TypeAdapter

from agent.explain.check.checker import check
from agent.explain.facts import DATA, FactTable, definitions
from agent.explain.questions import Audience, Language, QuestionKind
from agent.explain.wording import shown
from prompts import Prompt

_REFERENCE: Final = re.compile(r"\[([a-z ]+)\]")

Groups = Sequence[Sequence[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Narratable:
    """A prompt, and the references that its answer may hold, with their values."""

    prompt: str
    values: Mapping[str, str]

    def fill(self, text: str) -> str:
        """The narrator's text with values in place of references."""
        return _REFERENCE.sub(lambda match: self.values[match.group(1)], text)


def reference_of(key: str) -> str:
    """The narrator's name of a fact: `discount_pct` is `discount`."""
    return key.removesuffix("_pct").replace("_", " ")


def narratable(table: FactTable, prompt: Prompt) -> Narratable | None:
    """The narrator's prompt, None where it was not trained for the kind or a fact is missing.

    Facts stand in the order of `facts.yaml`, so that one set of facts has one prompt, whoever made the table.
    """
    groups = narrations().get(table.kind)
    if groups is None or table.get("missing") is not None:
        return None
    taught = {reference for group in groups for wording in group for text in wording for reference in references(text)}
    values = {
        reference_of(fact.key): shown(fact, Language.EN, table.currency) for fact in table.facts if fact.value != ()
    }
    known = {
        reference: values[reference]
        for reference in map(reference_of, definitions())
        if reference in taught & values.keys()
    }
    if _chosen(groups, known) == []:
        return None
    rendered = prompt.render(kind=table.kind.replace("_", " "), facts=", ".join(known))
    return Narratable(rendered.text, known)


def lessons(table: FactTable, prompt: Prompt, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Training prompt and text, with references; None for texts that fail the check."""
    asked = narratable(table, prompt)
    if asked is not None:
        chosen = _chosen(narrations()[table.kind], asked.values)
        text = " ".join(rng.choice(list(wording)) for wording in chosen)
        if check(asked.fill(text), table, Language.EN, Audience.MERCHANT).passed:
            yield asked.prompt, text


def references(text: str) -> set[str]:
    """References that a text holds."""
    return set(_REFERENCE.findall(text))


@cache
def narrations() -> Mapping[QuestionKind, Groups]:
    """Training texts of the narrator, by kind."""
    raw = yaml.safe_load((DATA / "narration.yaml").read_text("utf-8"))
    found = TypeAdapter(dict[QuestionKind, list[list[list[str]]]]).validate_python(raw)
    known = {reference_of(key) for key in definitions()}
    said = {
        r for groups in found.values() for group in groups for wording in group for t in wording for r in references(t)
    }
    if unknown := sorted(said - known):
        raise ValueError(f"narration.yaml refers to facts that are not defined: {unknown}; allowed: facts.yaml")
    return found


def _chosen(groups: Groups, values: Mapping[str, str]) -> list[Sequence[str]]:
    """Of each group the first wording that the facts allow."""
    found: list[Sequence[str]] = []
    for group in groups:
        wording = next((one for one in group if references(one[0]) <= values.keys()), None)
        if wording is not None:
            found.append([text for text in wording if references(text) <= values.keys()])
    return found
