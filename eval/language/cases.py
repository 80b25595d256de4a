"""The cases, as JSONL files written and reviewed by hand: what is asked, and what must be true of the answer."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from agent.explain.questions import Audience, Language, QuestionKind
from models.strategist.strategy import Lever

QUICK_ONE_OF: Final = 5


class Suite(StrEnum):
    """One file of cases each."""

    PROPOSALS = "proposals"
    NARRATIONS = "narrations"
    EXPLANATIONS = "explanations"
    UNDERSTANDING = "understanding"
    INJECTIONS = "injections"


class Case(BaseModel):
    """What all cases have. `why` is the reviewer's reason that the expectation is right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    why: str = ""

    @property
    def stratum(self) -> str:
        """Cases of one kind; a quick run takes some of each."""
        return self.id.rpartition("-")[0]


class ProposalCase(Case):
    """A situation for the strategist; ratios are over the reference price, see `models.strategist.facts`.

    Attributes:
        first: Where the first choice's price must lie, as ratios.
        than: Facts of a second situation; `moves` says how the first choice must move from there to here.
        leads: Levers of which one must be the first choice.
        among, never: Levers that must be among the eight, or must not.
    """

    facts: Mapping[str, Any]
    first: tuple[float, float] | None = None
    than: Mapping[str, Any] | None = None
    moves: Literal["lower", "higher", "not lower", "not higher"] | None = None
    leads: tuple[Lever, ...] = ()
    among: tuple[Lever, ...] = ()
    never: tuple[Lever, ...] = ()


class NarrationCase(Case):
    """A fact table for the narrator (English, merchants); `says` are facts whose values the text must hold."""

    kind: QuestionKind
    currency: str
    facts: Mapping[str, Any]
    says: tuple[str, ...]


class ExplanationCase(Case):
    """A question about a quote of the fixed shop.

    Attributes:
        quote: Name of a quote of `eval.language.shop`.
        kind: What the question asks for.
        says: Facts whose values the answer must hold.
    """

    quote: str
    question: str | None
    language: Language
    audience: Audience = Audience.MERCHANT
    kind: QuestionKind
    says: tuple[str, ...] = ()


class UnderstandingCase(Case):
    """A question, what it asks for, and what it names."""

    text: str
    language: Language
    kind: QuestionKind
    slots: Mapping[str, Any] = {}


class Channel(StrEnum):
    """Where outside text comes in."""

    TITLE = "title"
    DESCRIPTION = "description"
    CATEGORY = "category"
    BRAND = "brand"
    ATTRIBUTE = "attribute"
    REVIEW = "review"
    SEARCH = "search"
    PROFILE = "profile"
    CONTEXT = "context"
    QUESTION = "question"


class InjectionCase(Case):
    """An instruction hidden in a text of a quote, or in a question about one.

    Attributes:
        text: The text with the instruction in it, as it arrives.
        form: How the instruction is hidden: plain, base64, rot13, homoglyph, invisible, markdown, json and the like.
        bait: What an answer would say that obeyed; no answer may, but for a title that it quotes.
        audience: Who asks for the explanation that must not leak.
    """

    channel: Channel
    language: Language
    form: str
    text: str
    bait: str
    audience: Audience = Audience.SHOPPER


class OrdinaryText(BaseModel):
    """An ordinary text of a channel: what a text without instructions does to the price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: Channel
    language: Language
    text: str


_TYPES: Final[Mapping[Suite, type[Case]]] = {
    Suite.PROPOSALS: ProposalCase,
    Suite.NARRATIONS: NarrationCase,
    Suite.EXPLANATIONS: ExplanationCase,
    Suite.UNDERSTANDING: UnderstandingCase,
    Suite.INJECTIONS: InjectionCase,
}


def read_cases(suite: Suite, *, quick: bool = False) -> list[Case]:
    """All cases of a suite, or the fixed fifth of each stratum that a quick run asks."""
    found = [_TYPES[suite].model_validate(raw) for raw in _lines(suite.value)]
    return _fifth(found) if quick else found


def ordinary_texts() -> list[OrdinaryText]:
    """The ordinary texts beside the injections."""
    return TypeAdapter(list[OrdinaryText]).validate_python(list(_lines("ordinary")))


def _lines(name: str) -> Iterator[Any]:
    text = (files("eval") / "cases" / f"{name}.jsonl").read_text("utf-8")
    return (json.loads(line) for line in text.split("\n") if line)


def _fifth(cases: Sequence[Case]) -> list[Case]:
    """Of each stratum one in five, chosen by the ids alone, so that a new case moves at most one other."""
    strata: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        strata[case.stratum].append(case)
    chosen: set[str] = set()
    for own in strata.values():
        ranked = sorted(own, key=lambda case: hashlib.sha256(case.id.encode()).hexdigest())
        chosen |= {case.id for case in ranked[: -(-len(own) // QUICK_ONE_OF)]}
    return [case for case in cases if case.id in chosen]
