"""A question as it comes, and the answer to it."""

from dataclasses import dataclass

from agent.explain.check import Report
from agent.explain.questions import Audience, Kind, Language


@dataclass(frozen=True, slots=True)
class Ask:
    """A question as it came; None leaves the choice to us."""

    question: str | None = None
    language: Language | None = None
    audience: Audience = Audience.MERCHANT


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact behind an answer, as it is shown."""

    fact: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer. `source` is `model` or `deterministic`; `rejected` says why a model's text did not go out."""

    answer: str
    kind: Kind
    language: Language
    source: str
    evidence: tuple[Evidence, ...]
    report: Report
    rejected: tuple[str, ...] = ()
