"""Report of a soak test: results overall and by minute, and the conditions that failed.

The host of a virtual machine may give processor time to other machines (`steal`). Latency is evaluated without minutes
in which it took more than `HOST_SHARE`, and without the minute after, which has to work off the queue; those minutes
are listed, and the results with them are reported too. If latency fails only with them and they are too many, the run
is invalid (`host`).

Machines also change their speed, so a slow quarter of an hour determines the tail of a fast hour. The spread separates
the two effects: the 99th percentile of response times relative to the median of their minute. It is reported but not a
condition, since it does not show a service that is slow for minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.domain.decision import Rung

MAX_GROWTH: Final = 0.05
MAX_SPREAD: Final = 4.0
HOST_SHARE: Final = 0.02
MAX_DISTURBED: Final = 0.1
_WARM_UP: Final = 0.1
_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Answer:
    """One response.

    Attributes:
        due: Time at which the request was due.
        took: Seconds from then to the response.
        rung: Rung of the quote, None if the request failed.
        late: Seconds between due time and sending.
    """

    due: float
    took: float
    rung: str | None
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class MachineState:
    """State at a time: resident bytes of the server, and processor seconds stolen by the host since boot."""

    at: float
    resident: float
    stolen_s: float


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute: latencies of requests due in it, shares by rung, memory at its end, stolen processor time."""

    minute: int
    answered: int
    p50_ms: float
    p99_ms: float
    rungs: dict[str, float]
    memory_mib: float
    stolen_s: float

    def __str__(self) -> str:
        """Text for the progress bar; quotes with known prompts are those on the cached rung."""
        known = self.rungs.get(Rung.CACHED, 0.0)
        return (
            f"minute {self.minute} p50 {self.p50_ms:.0f} ms p99 {self.p99_ms:.0f} ms "
            f"known prompts {known:.0%} {self.memory_mib:.0f} MiB stolen {self.stolen_s:.1f} s"
        )


@dataclass(frozen=True, slots=True)
class SoakReport:
    """Results of a run.

    Attributes:
        hour: Whether the run lasted at least an hour.
        spread, p50_ms, p99_ms: Without disturbed minutes; `whole_*` with them; all without the first tenth.
        disturbed: Minutes disturbed by the host.
        rungs: Shares of quotes by rung of the deadline ladder.
        failed: Conditions that failed.
        by_minute: Results by minute, which distinguish a single stall from a slow hour.
    """

    minutes: float
    hour: bool
    capacities_per_s: list[float]
    asked_per_s: list[float]
    answered: int
    errors: int
    spread: float
    whole_spread: float
    p50_ms: float
    p99_ms: float
    whole_p50_ms: float
    whole_p99_ms: float
    late_p99_ms: float
    disturbed: list[int]
    memory_start_mib: float
    memory_end_mib: float
    memory_growth: float
    stolen_s: float
    rungs: dict[str, float]
    failed: list[str]
    by_minute: list[Minute]


@dataclass(frozen=True, slots=True)
class Run:
    """Data of a run: responses in any order, states in time order, number of errors.

    `capacities` are successive measurements in quotes per second; the load until the next one was `share` of each.
    """

    minutes: float
    processors: int
    capacities: Sequence[float]
    share: float
    answers: Sequence[Answer]
    states: Sequence[MachineState]
    errors: int


def evaluate_run(run: Run) -> SoakReport:
    """Compute the results and the failed conditions; the first tenth counts only for errors."""
    began, ended = run.states[0].at, run.states[-1].at
    warm = began + _WARM_UP * (ended - began)
    by_minute = _by_minute(run.answers, run.states)
    stolen = {one.minute for one in by_minute if one.stolen_s > HOST_SHARE * 60 * run.processors}
    disturbed = [one.minute for one in by_minute if {one.minute - 1, one.minute} & stolen]
    counted = [answer for answer in run.answers if answer.due >= warm]
    quiet = [answer for answer in counted if _minute(answer.due - began) not in disturbed] or counted
    whole_p50, whole_p99 = _quantiles_ms(counted)
    p50, p99 = _quantiles_ms(quiet)
    evaluated = [one.minute for one in by_minute if 60 * one.minute > warm - began]
    resident = [state.resident for state in run.states if state.at >= warm]
    tenth = max(1, len(resident) // 10)
    first, last = float(np.median(resident[:tenth])), float(np.median(resident[-tenth:]))
    growth = last / first - 1
    broken = {
        "errors": run.errors > 0,
        "memory": growth > MAX_GROWTH,
        "p99": p99 >= MAX_SPREAD * p50,
        "host": whole_p99 >= MAX_SPREAD * whole_p50
        and len({*disturbed} & {*evaluated}) > MAX_DISTURBED * len(evaluated),
    }
    return SoakReport(
        minutes=run.minutes,
        hour=run.minutes >= 60,
        capacities_per_s=[round(one, 2) for one in run.capacities],
        asked_per_s=[round(run.share * one, 2) for one in run.capacities],
        answered=len(run.answers),
        errors=run.errors,
        spread=_spread(quiet, began),
        whole_spread=_spread(counted, began),
        p50_ms=p50,
        p99_ms=p99,
        whole_p50_ms=whole_p50,
        whole_p99_ms=whole_p99,
        late_p99_ms=round(1e3 * float(np.percentile([answer.late for answer in counted], 99)), 1),
        disturbed=disturbed,
        memory_start_mib=round(first / _MIB, 1),
        memory_end_mib=round(last / _MIB, 1),
        memory_growth=round(growth, 4),
        stolen_s=round(run.states[-1].stolen_s - run.states[0].stolen_s, 1),
        rungs=_rungs(run.answers),
        failed=[name for name, bad in broken.items() if bad],
        by_minute=by_minute,
    )


def minute_of(number: int, answers: Sequence[Answer], before: MachineState, after: MachineState) -> Minute:
    """Summarise the requests due in one minute, at least one, between two states."""
    p50, p99 = _quantiles_ms(answers)
    stolen_s = round(after.stolen_s - before.stolen_s, 1)
    return Minute(number, len(answers), p50, p99, _rungs(answers), round(after.resident / _MIB, 1), stolen_s)


def _by_minute(answers: Sequence[Answer], states: Sequence[MachineState]) -> list[Minute]:
    began = states[0].at
    found = _minutes(answers, began)
    last = {_minute(state.at - began): state for state in states}
    ends = [states[0]]
    for number in range(1, max(found) + 1):
        ends.append(last.get(number, ends[-1]))  # no sample in a minute in which the machine was suspended
    return [minute_of(number, found[number], ends[number - 1], ends[number]) for number in sorted(found)]


def _spread(answers: Sequence[Answer], began: float) -> float:
    """99th percentile of response times relative to the median of their minute."""
    took = [np.array([answer.took for answer in minute]) for minute in _minutes(answers, began).values()]
    return round(float(np.quantile(np.concatenate([minute / np.median(minute) for minute in took]), 0.99)), 2)


def _minutes(answers: Sequence[Answer], began: float) -> dict[int, list[Answer]]:
    """Group responses by the minute in which they were due."""
    found: dict[int, list[Answer]] = {}
    for answer in answers:
        found.setdefault(_minute(answer.due - began), []).append(answer)
    return found


def _minute(seconds: float) -> int:
    """Number of the minute, from 1."""
    return int(seconds // 60) + 1


def _rungs(answers: Sequence[Answer]) -> dict[str, float]:
    """Shares of quotes by rung."""
    rungs = [answer.rung for answer in answers if answer.rung is not None]
    return {rung: round(rungs.count(rung) / len(rungs), 4) for rung in sorted(set(rungs))}


def _quantiles_ms(answers: Sequence[Answer]) -> tuple[float, float]:
    """p50 and p99 of response times."""
    p50, p99 = np.percentile([answer.took for answer in answers], [50, 99]) * 1e3
    return round(float(p50), 1), round(float(p99), 1)
