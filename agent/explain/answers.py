"""Questions as received, and their answers."""

from dataclasses import dataclass
from enum import StrEnum

from agent.explain.check import Report
from agent.explain.questions import Audience, Language, QuestionKind


@dataclass(frozen=True, slots=True)
class QuestionInput:
    """A question as received; None leaves language or audience to be detected."""

    question: str | None = None
    language: Language | None = None
    audience: Audience = Audience.MERCHANT


class AnswerSource(StrEnum):
    """Author of an answer: a language model, the fixed texts, or both where a model's sentence failed the check."""

    MODEL = "model"
    DETERMINISTIC = "deterministic"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence that passed the check, with its author and language."""

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
