"""Explainer: a question is classified, its facts computed, an answer written and checked sentence by sentence."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.domain.decision import Decision
from agent.explain.answers import AnswerSource, CheckedSentence, Evidence, Explanation, Understood
from agent.explain.check import check
from agent.explain.facts import FactTable
from agent.explain.interpretation import Interpreter
from agent.explain.log_facts import LogFacts
from agent.explain.questions import Audience, Question, QuestionInput
from agent.explain.quote_facts import QuoteFacts
from agent.explain.wording import Sentence, join, label, lead, sayable, sentences, shown
from agent.explain.writers import Writer, WriterError

_ASKED: Final = ("asked_price", "rival_if", "cost_if")

AnswerStream = Generator[Understood | CheckedSentence | Explanation]
"""Meaning of the question as understood, checked sentences as they become ready, then the whole explanation."""


@dataclass(frozen=True, slots=True)
class Explainer:
    """Answers questions as the interpreter reads them."""

    interpreter: Interpreter
    writer: Writer | None = None

    def about_quote(self, ask: QuestionInput, decision: Decision, facts: QuoteFacts, now: datetime) -> Explanation:
        """An answer about one quote."""
        return collect(self.stream_quote(ask, decision, facts, now))

    def about_log(self, ask: QuestionInput, facts: LogFacts, now: datetime) -> Explanation:
        """An answer about many quotes."""
        return collect(self.stream_log(ask, facts, now))

    def stream_quote(self, ask: QuestionInput, decision: Decision, facts: QuoteFacts, now: datetime) -> AnswerStream:
        """Stream the answer, sentence by sentence."""
        question = self.interpreter.about_quote(ask, decision, now)
        yield from self._checked(question, facts.table(question, decision))

    def stream_log(self, ask: QuestionInput, facts: LogFacts, now: datetime) -> AnswerStream:
        """Stream the answer, sentence by sentence."""
        question = self.interpreter.about_log(ask, now)
        yield from self._checked(question, facts.table(question, now))

    def _checked(self, question: Question, table: FactTable) -> AnswerStream:
        """The writer's sentences while they pass the check, then fixed sentences for the facts left."""
        seen = table.seen_by(question.audience)
        said: list[CheckedSentence] = []
        rejected: list[str] = []
        understood = _understood(question, seen)
        yield understood
        for sentence in self._written(question, seen, rejected):
            said.append(sentence)
            yield sentence
        if rejected or not said:
            for fixed in _unstated(sentences(seen, question.language, question.audience), said):
                problems = check(fixed.text, seen, question.language, question.audience).problems
                rejected += problems
                if not problems:
                    said.append(CheckedSentence(fixed.text, AnswerSource.DETERMINISTIC, question.language))
                    yield said[-1]
        yield _explanation(understood, seen, said, tuple(rejected))

    def _written(self, question: Question, seen: FactTable, rejected: list[str]) -> Iterator[CheckedSentence]:
        """The writer's sentences that pass, for merchants; appends the reason to `rejected` where one fails."""
        drafts = None
        if self.writer is not None and question.audience is Audience.MERCHANT:
            drafts = self.writer.write(seen, question.language, lambda text: not _problems(text, question, seen))
        if drafts is None:
            return
        try:
            for text in drafts:
                problems = _problems(text, question, seen)
                if problems:
                    rejected += problems
                    return
                yield CheckedSentence(text, AnswerSource.MODEL, question.language)
        except WriterError as error:
            rejected.append(f"writer: {error}")


def _problems(text: str, question: Question, seen: FactTable) -> tuple[str, ...]:
    """Problems of a writer's sentence; one that states no fact is a problem too."""
    report = check(text, seen, question.language, question.audience)
    values = (shown(fact, question.language, seen.currency) for fact in seen.facts if fact.value != ())
    if report.passed and not (report.numbers or report.claims or any(value and value in text for value in values)):
        return (f"nothing: {text[:60]!r} says no fact",)
    return report.problems


def collect(stream: AnswerStream) -> Explanation:
    """Run a stream of sentences to its end; returns the whole explanation."""
    *_, last = stream
    assert isinstance(last, Explanation)  # noqa: S101 - `_checked` ends with it
    return last


def _unstated(fixed: Iterable[Sentence], said: Iterable[CheckedSentence]) -> Iterator[Sentence]:
    """Fixed sentences with a value that was not yet stated, or with none."""
    told = " ".join(one.text for one in said)
    return (one for one in fixed if not told or not one.values or not all(value in told for value in one.values))


def _understood(question: Question, seen: FactTable) -> Understood:
    """Tell what was understood, by the facts of the answer; a lead that fails the check is dropped."""
    clause = lead(seen, question.language, question.audience)
    if clause and not check(clause, seen, question.language, question.audience).passed:
        clause = ""
    keys = _ASKED if question.audience is Audience.MERCHANT else _ASKED[:1]  # others are computed from hidden facts
    asked = next((fact.value for key in keys if (fact := seen.get(key)) is not None), None)
    return Understood(question, clause, seen.currency, asked if isinstance(asked, int) else None)


def _explanation(
    understood: Understood, seen: FactTable, said: list[CheckedSentence], rejected: tuple[str, ...]
) -> Explanation:
    question = understood.question
    language, audience = question.language, question.audience
    text = join([one.text for one in said], language)
    sources = {one.source for one in said}
    shows = seen.keys if audience is Audience.MERCHANT else sayable(seen.kind, language, audience)
    evidence = tuple(
        Evidence(fact.key, label(fact, language), shown(fact, language, seen.currency))
        for fact in seen.facts
        if fact.value != () and fact.key in shows
    )
    source = sources.pop() if len(sources) == 1 else AnswerSource.MIXED
    report = check(understood.lead, seen, language, audience) + check(text, seen, language, audience)
    answer = join([part for part in (understood.lead, text) if part], language)
    return Explanation(answer, understood, question.kind, language, source, evidence, report, rejected)
