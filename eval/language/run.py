"""Run the suites of `pricesmith eval prompts` with Inspect; one row per case and measure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, EvalSample

from eval.gate import GateError, Row, Summary, current_versions
from eval.gate.rows import now
from eval.language import explanations, injections, proposals, questions, understanding
from eval.language.cases import Suite, read_cases
from models.progress import Progress
from models.registry.registry import Registry
from prompts import Prompt

STRICT: Final[Mapping[Suite, frozenset[str]]] = {
    Suite.PROPOSALS: frozenset({"valid"}),
    Suite.NARRATIONS: frozenset({"faithful"}),
    Suite.EXPLANATIONS: frozenset({"faithful", "private"}),
    Suite.UNDERSTANDING: frozenset(),
    Suite.QUESTIONS: frozenset(),
    Suite.INJECTIONS: frozenset(injections.MEASURES) - {"unmoved"},
}
_SHOWN: Final = 400
_LOG_BUFFER: Final = 10_000  # samples; more than a suite has, since each flush rewrites the whole log


@dataclass(frozen=True, slots=True)
class Plan:
    """Configuration of a run.

    Attributes:
        models: Folder of model versions; the active ones are tested.
        strategist, narrator: Prompts of the two models.
        suites: Suites to run.
        quick: Whether to run a fixed fifth of the cases.
        logs: Folder of Inspect's logs.
    """

    models: Path
    strategist: Prompt
    narrator: Prompt
    suites: tuple[Suite, ...] = tuple(Suite)
    quick: bool = False
    logs: Path = field(default=Path("logs"))


def run(plan: Plan, progress: Progress) -> Summary:
    """Run all cases and write Inspect's logs to `plan.logs`.

    Raises:
        GateError: A suite failed with an error.
    """
    rows: list[Row] = []
    for number, suite in enumerate(plan.suites):
        progress(f"cases: {suite}", number / len(plan.suites))
        log = inspect_eval(
            _task(suite, plan),
            log_dir=str(plan.logs),
            log_format="json",
            log_realtime=False,
            log_buffer=_LOG_BUFFER,
            display="none",
            fail_on_error=True,
            max_samples=1,
            score_display=False,
        )[0]
        rows += _rows(suite, log)
    progress("cases", 1.0)
    return Summary(
        command="prompts",
        mode="quick" if plan.quick else "full",
        made_at=now(),
        versions=current_versions(Registry(plan.models), (plan.strategist.label, plan.narrator.label)),
        rows=rows,
    )


def strict_failures(summary: Summary, baseline: Summary | None) -> list[str]:
    """Describe strict rows that failed, except those that failed in the baseline too."""
    known = {(row.group, row.case) for row in baseline.rows if not row.passed} if baseline is not None else set()
    return [
        f"{row.group}, {row.case}: {row.shown}"
        for row in summary.rows
        if row.strict and not row.passed and (row.group, row.case) not in known
    ]


def _task(suite: Suite, plan: Plan) -> Task:
    cases: Sequence[Any] = read_cases(suite, quick=plan.quick)
    if suite is Suite.PROPOSALS:
        return proposals.proposals(cases, plan.strategist, plan.models)
    if suite is Suite.NARRATIONS:
        return explanations.narrations(cases, plan.narrator, plan.models)
    if suite is Suite.EXPLANATIONS:
        return explanations.explanations(cases, plan.models)
    if suite is Suite.UNDERSTANDING:
        return understanding.understanding(cases, plan.models)
    if suite is Suite.QUESTIONS:
        return questions.questions(cases, plan.models)
    return injections.injections(cases, plan.models)


def _rows(suite: Suite, log: EvalLog) -> Iterator[Row]:
    if log.status != "success" or log.samples is None:
        reason = log.error.message if log.error is not None else log.status
        raise GateError(f"suite {suite} failed: {reason}; remedy: see the log {log.location}")
    for sample in log.samples:
        for score in (sample.scores or {}).values():
            values = score.value
            if not isinstance(values, Mapping):
                raise GateError(f"{suite}, {sample.id}: score {values!r} is not a mapping of measure to value")
            for measure, value in values.items():
                yield Row(
                    case=str(sample.id),
                    group=f"{suite}: {measure}",
                    value=float(value or 0),
                    strict=measure in STRICT[suite],
                    shown=_shown(sample, score.answer, score.explanation),
                )


def _shown(sample: EvalSample, answer: str | None, explanation: str | None) -> str:
    question = sample.input if isinstance(sample.input, str) else sample.input[-1].text
    return " | ".join(part[:_SHOWN] for part in (question, answer, explanation) if part)
