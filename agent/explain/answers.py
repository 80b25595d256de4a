"""Questions as received, and their answers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from agent.explain.check import Report
from agent.explain.questions import Language, Question, QuestionKind, Slots

_CHANGES: Final = ("change_pct", "change_minor", "factor")
_USED: Final[Mapping[QuestionKind, tuple[str, ...]]] = {
    QuestionKind.WHY_NOT: _CHANGES,
    QuestionKind.WHAT_IF_PRICE: _CHANGES,
    QuestionKind.WHAT_IF_COMPETITOR: _CHANGES,
    QuestionKind.WHAT_IF_COST: _CHANGES,
    QuestionKind.WHAT_IF_STOCK: ("count", "change_pct", "factor"),
    QuestionKind.COMPARE: ("other",),
    QuestionKind.PRICE_HISTORY: ("period",),
    QuestionKind.CATEGORY_DISCOUNTS: ("category", "period"),
    QuestionKind.FLOOR_PRODUCTS: ("period",),
    QuestionKind.ABOVE_REFERENCE: ("period",),
    QuestionKind.PRODUCT_SALES: ("products", "period"),
}
"""Slots that an answer of each kind uses beside the price asked about."""


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
class Understood:
    """Reading of a question, as it is told with the answer.

    Attributes:
        lead: The clause that the answer begins with; empty where the question was not understood.
        asked_minor: The price asked about, in `currency`: the quote's own, a competitor's or the cost.
    """

    question: Question
    lead: str
    currency: str
    asked_minor: int | None = None

    @property
    def slots(self) -> Slots:
        """The slots that the answer uses; others are empty."""
        told = self.question.slots
        return replace(Slots(), **{name: getattr(told, name) for name in _USED.get(self.question.kind, ())})


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer; `rejected` says why a sentence did not go out."""

    answer: str
    understood: Understood
    kind: QuestionKind
    language: Language
    source: AnswerSource
    evidence: tuple[Evidence, ...]
    report: Report
    rejected: tuple[str, ...] = ()
