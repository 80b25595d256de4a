"""A question as it comes, and the answer to it."""

from dataclasses import dataclass
from enum import StrEnum

from agent.explain.check import Report
from agent.explain.questions import Audience, Language, QuestionKind


@dataclass(frozen=True, slots=True)
class Ask:
    """A question as it came; None leaves the choice to us."""

    question: str | None = None
    language: Language | None = None
    audience: Audience = Audience.MERCHANT


class AnswerSource(StrEnum):
    """Who wrote: a language model, our fixed texts, or first the one and, where it failed the check, the other."""

    MODEL = "model"
    DETERMINISTIC = "deterministic"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that passed the check, who wrote it, and in which language."""

    text: str
    source: AnswerSource
    language: Language


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact behind an answer, as it is shown."""

    fact: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer; `rejected` says why a sentence did not go out."""

    answer: str
    kind: QuestionKind
    language: Language
    source: AnswerSource
    evidence: tuple[Evidence, ...]
    report: Report
    rejected: tuple[str, ...] = ()
