"""A question to an answer: understood, computed, written, checked."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from agent.decision import Decision
from agent.explain.answers import Ask, Evidence, Explanation
from agent.explain.check import check
from agent.explain.facts import FactTable
from agent.explain.log_facts import LogFacts
from agent.explain.narration import Narratable, narratable
from agent.explain.questions import LOG_KINDS, Audience, Kind, Language, Question, language_of
from agent.explain.quote_facts import QuoteFacts
from agent.explain.slots import find_slots
from agent.explain.understanding import Understanding
from agent.explain.wording import join, label, sentences, shown
from models.narrator import Narrator
from prompts import Prompt

DEFAULT_QUESTION = "Why this price?"


@dataclass(frozen=True, slots=True)
class Writer:
    """The narrator, loaded when first asked; `lock` keeps its calls one after the other."""

    load: Callable[[], Narrator]
    prompt: Prompt
    lock: Lock

    def write(self, asked: Narratable) -> Iterator[str]:
        """Whole sentences with their values, each as soon as it is written; an unfinished one never goes out."""
        with self.lock:
            text = ""
            for piece in self.load().write(asked.prompt, tuple(asked.values)):
                text += piece
                if text.rstrip().endswith((".", "?")) and "[" not in text.rpartition("]")[2]:
                    yield asked.fill(text.strip())
                    text = ""


@dataclass(frozen=True, slots=True)
class Explainer:
    """Answers questions; `categories` are the names that a question may mention."""

    understanding: Understanding
    categories: Callable[[], Iterable[str]]
    writer: Writer | None = None

    def about_quote(self, ask: Ask, decision: Decision, facts: QuoteFacts) -> Explanation:
        """An answer about one quote."""
        question = self._understood(ask, decision.currency, allowed=frozenset(Kind) - LOG_KINDS)
        return self._answer(question, facts.table(question, decision))

    def about_log(self, ask: Ask, facts: LogFacts, now: datetime) -> Explanation:
        """An answer about many quotes."""
        question = self._understood(ask, "USD", allowed=LOG_KINDS)
        return self._answer(question, facts.table(question, now))

    def _understood(self, ask: Ask, currency: str, allowed: frozenset[Kind]) -> Question:
        text = ask.question or DEFAULT_QUESTION
        language = ask.language or language_of(text)
        kind = Kind.WHY_PRICE if ask.question is None else self.understanding.read(text).kind
        slots = find_slots(text, currency, self.categories())
        return Question(text, kind if kind in allowed else Kind.NONE, language, ask.audience, slots)

    def _answer(self, question: Question, table: FactTable) -> Explanation:
        """The narrator's text where it passes the check, else the deterministic one."""
        seen = table.seen_by(question.audience)
        language, audience = question.language, question.audience
        evidence = tuple(
            Evidence(fact.key, label(fact, language), shown(fact, language, seen.currency))
            for fact in seen.facts
            if fact.value != ()
        )
        rejected: tuple[str, ...] = ()
        asked = None
        if self.writer is not None and language is Language.EN and audience is Audience.MERCHANT:
            asked = narratable(seen, self.writer.prompt)
        if asked is not None and self.writer is not None:
            text = join(list(self.writer.write(asked)), language)
            report = check(text, seen, language, audience)
            if text and report.passed:
                return Explanation(text, question.kind, language, "model", evidence, report)
            rejected = report.problems or ("the model wrote no whole sentence",)
        text = join(sentences(seen, language, audience), language)
        report = check(text, seen, language, audience)
        return Explanation(text, question.kind, language, "deterministic", evidence, report, rejected)
