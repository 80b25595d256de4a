"""`pricesmith eval prompts`: all suites through Inspect, each case a row a measure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.log import EvalLog, EvalSample

from eval.gate import GateError, Row, Summary, current_versions
from eval.gate.rows import now
from eval.language import explanations, injections, proposals, understanding
from eval.language.cases import Suite, read_cases
from models.progress import Progress
from models.registry.registry import Registry
from prompts import Prompt

STRICT: Final[Mapping[Suite, frozenset[str]]] = {
    Suite.PROPOSALS: frozenset({"valid"}),
    Suite.NARRATIONS: frozenset({"faithful"}),
    Suite.EXPLANATIONS: frozenset({"faithful", "private"}),
    Suite.UNDERSTANDING: frozenset(),
    Suite.INJECTIONS: frozenset(injections.MEASURES) - {"unmoved"},
}
_SHOWN: Final = 400
_LOGGED: Final = 10_000  # samples before the log is written: once a suite, as each time writes all of it anew


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask.

    Attributes:
        models: Folder of model versions; the active ones are asked.
        strategist, narrator: The prompts that the two are given.
    """

    models: Path
    strategist: Prompt
    narrator: Prompt
    suites: tuple[Suite, ...] = tuple(Suite)
    quick: bool = False
    logs: Path = field(default=Path("logs"))


def run(plan: Plan, progress: Progress) -> Summary:
    """Ask every case; Inspect's logs lie in `plan.logs` afterwards.

    Raises:
        GateError: A case could not be asked: the model or the case is broken.
    """
    rows: list[Row] = []
    for place, suite in enumerate(plan.suites):
        progress(f"cases: {suite}", place / len(plan.suites))
        log = inspect_eval(
            _task(suite, plan),
            log_dir=str(plan.logs),
            log_format="json",
            log_realtime=False,
            log_buffer=_LOGGED,
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


def broken(summary: Summary, baseline: Summary | None) -> list[str]:
    """Strict rows that failed, less those that the baseline is known to fail."""
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
    return injections.injections(cases, plan.models)


def _rows(suite: Suite, log: EvalLog) -> Iterator[Row]:
    if log.status != "success" or log.samples is None:
        told = log.error.message if log.error is not None else log.status
        raise GateError(f"{suite} could not be asked: {told}; the log is {log.location}")
    for sample in log.samples:
        for score in (sample.scores or {}).values():
            values = score.value
            if not isinstance(values, Mapping):
                raise GateError(f"{suite}, {sample.id}: the score is {values!r}, not one value a measure")
            for measure, value in values.items():
                yield Row(
                    case=str(sample.id),
                    group=f"{suite}: {measure}",
                    value=float(value or 0),
                    strict=measure in STRICT[suite],
                    shown=_shown(sample, score.answer, score.explanation),
                )


def _shown(sample: EvalSample, answer: str | None, explanation: str | None) -> str:
    asked = sample.input if isinstance(sample.input, str) else sample.input[-1].text
    return " | ".join(part[:_SHOWN] for part in (asked, answer, explanation) if part)
