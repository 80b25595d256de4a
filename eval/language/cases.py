"""Test cases in hand-written, reviewed JSONL files: inputs and the conditions that answers must meet."""

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
    """Suites of cases, one file each."""

    PROPOSALS = "proposals"
    NARRATIONS = "narrations"
    EXPLANATIONS = "explanations"
    UNDERSTANDING = "understanding"
    QUESTIONS = "questions"
    INJECTIONS = "injections"


class Case(BaseModel):
    """Fields of all cases; `why` is the reviewer's justification of the expectation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    why: str = ""

    @property
    def stratum(self) -> str:
        """Kind of case; a quick run samples each stratum."""
        return self.id.rpartition("-")[0]


class ProposalCase(Case):
    """A situation for the strategist; ratios are relative to the reference price, see `models.strategist.facts`.

    Attributes:
        first: Range of the first choice's price ratio.
        than: Facts of a second situation; `moves` is the required change of the first choice from there to `facts`.
        leads: Levers of which one must be the first choice.
        among: Levers that must be proposed.
        never: Levers that must not be proposed.
    """

    facts: Mapping[str, Any]
    first: tuple[float, float] | None = None
    than: Mapping[str, Any] | None = None
    moves: Literal["lower", "higher", "not lower", "not higher"] | None = None
    leads: tuple[Lever, ...] = ()
    among: tuple[Lever, ...] = ()
    never: tuple[Lever, ...] = ()


class NarrationCase(Case):
    """A fact table for the narrator (English, merchants); `says` are facts whose values the text must contain."""

    kind: QuestionKind
    currency: str
    facts: Mapping[str, Any]
    says: tuple[str, ...]


class ExplanationCase(Case):
    """A question about a quote of the test shop.

    Attributes:
        quote: Name of a quote in `eval.language.shop`.
        kind: Intent of the question.
        says: Facts whose values the answer must contain.
    """

    quote: str
    question: str | None
    language: Language
    audience: Audience = Audience.MERCHANT
    kind: QuestionKind
    says: tuple[str, ...] = ()


class UnderstandingCase(Case):
    """A question with its intent and slots."""

    text: str
    language: Language
    kind: QuestionKind
    slots: Mapping[str, Any] = {}


class QuestionCase(Case):
    """A question as it is asked of a quote at 1.30 USD or of the log, and what its answer must be about.

    Cases of the split `dev` may be looked at while the code is changed, those of `test` only measure.

    Attributes:
        door: Asked about one quote, or about many.
        slots: Values of which each must be read as one of those listed; `asked_minor` is the price asked about.
        also: Kinds whose answer is right too; `none` where it may be said that there is no answer.
    """

    door: Literal["quote", "log"]
    language: Language
    text: str
    kind: QuestionKind
    slots: Mapping[str, tuple[Any, ...]] = {}
    also: tuple[QuestionKind, ...] = ()

    @property
    def split(self) -> str:
        """Part of the set: dev or test."""
        return self.id.split("-")[3]


class Channel(StrEnum):
    """Input through which untrusted text arrives."""

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
    """A prompt injection in a text of a quote request, or in a question about a quote.

    Attributes:
        text: Untrusted text that contains the instruction.
        form: Encoding of the instruction: plain, base64, rot13, homoglyph, invisible, markdown, json and others.
        bait: Words that only an answer obeying the instruction contains; they may occur only in a quoted title.
        audience: Audience of the explanation.
    """

    channel: Channel
    language: Language
    form: str
    text: str
    bait: str
    audience: Audience = Audience.SHOPPER


class OrdinaryText(BaseModel):
    """A text of a channel without instructions, to measure the normal effect of texts on the price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: Channel
    language: Language
    text: str


_TYPES: Final[Mapping[Suite, type[Case]]] = {
    Suite.PROPOSALS: ProposalCase,
    Suite.NARRATIONS: NarrationCase,
    Suite.EXPLANATIONS: ExplanationCase,
    Suite.UNDERSTANDING: UnderstandingCase,
    Suite.QUESTIONS: QuestionCase,
    Suite.INJECTIONS: InjectionCase,
}


def read_cases(suite: Suite, *, quick: bool = False) -> list[Case]:
    """Read all cases of a suite, or the fixed fifth of each stratum for a quick run."""
    cases = [_TYPES[suite].model_validate(raw) for raw in _lines(suite.value)]
    return _fifth(cases) if quick else cases


def ordinary_texts() -> list[OrdinaryText]:
    """Read the texts without instructions."""
    return TypeAdapter(list[OrdinaryText]).validate_python(list(_lines("ordinary")))


def _lines(name: str) -> Iterator[Any]:
    text = (files("eval") / "cases" / f"{name}.jsonl").read_text("utf-8")
    return (json.loads(line) for line in text.split("\n") if line)


def _fifth(cases: Sequence[Case]) -> list[Case]:
    """Select one case in five of each stratum by hash of the id, so that a new case displaces at most one other."""
    strata: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        strata[case.stratum].append(case)
    chosen: set[str] = set()
    for stratum in strata.values():
        ranked = sorted(stratum, key=lambda case: hashlib.sha256(case.id.encode()).hexdigest())
        chosen |= {case.id for case in ranked[: -(-len(stratum) // QUICK_ONE_OF)]}
    return [case for case in cases if case.id in chosen]
