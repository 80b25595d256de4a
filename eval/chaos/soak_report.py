"""What a soak found: its figures, minute by minute too, and which of its promises were not kept.

The host of a virtual machine may give processor time to others, and the machine's own clock of it (`steal`) says when.
A minute in which it took more than `HOST_SHARE` says nothing of the service, nor does the next, which begins with what
could not be answered: latency is judged without such minutes, which are named, and told with them too. Where it does
not hold with them, and they are too many, the run does not count.

Machines change their speed besides, and a slow quarter of an hour is the tail of a fast one. The spread tells the two
apart: each answer's time in medians of its minute, and the 99th percentile of that. It is told and not judged, since a
service that is slow for minutes hides in it.
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
    """One answer: when it was due, seconds from then until it came, and its rung, None when it is no quote.

    Of these seconds it was asked `late`.
    """

    due: float
    took: float
    rung: str | None
    late: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """The machine at a moment: the server's resident bytes, processor seconds that the host took since its start."""

    at: float
    resident: float
    stolen_s: float


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of a run: latencies of what was due in it, the share of each rung, resident memory at its end.

    `stolen_s` are processor seconds that the host gave to other machines.
    """

    minute: int
    answered: int
    p50_ms: float
    p99_ms: float
    rungs: dict[str, float]
    memory_mib: float
    stolen_s: float

    def __str__(self) -> str:
        """As the progress bar tells it; known prompts are those on the second rung."""
        known = self.rungs.get(Rung.CACHED, 0.0)
        return (
            f"minute {self.minute} p50 {self.p50_ms:.0f} ms p99 {self.p99_ms:.0f} ms "
            f"known prompts {known:.0%} {self.memory_mib:.0f} MiB stolen {self.stolen_s:.1f} s"
        )


@dataclass(frozen=True, slots=True)
class SoakReport:
    """What a run found; `failed` names the promises that were not kept, `hour` whether it was as long as promised.

    `rungs` are the shares of answers by rung of the deadline ladder, which say how far the service went down it to
    keep its deadline. `by_minute` tells one stall from a slow hour. `spread`, `p50_ms` and `p99_ms` are of the minutes
    that the host did not disturb, the same with `whole` of all; neither holds the first tenth.
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
    """What is judged: answers in any order, looks at the machine in theirs, errors.

    `capacities` are quotes a second, as measured one after another, `share` of which was asked for until the next.
    """

    minutes: float
    processors: int
    capacities: Sequence[float]
    share: float
    answers: Sequence[Answer]
    looks: Sequence[Look]
    errors: int


def judge(run: Run) -> SoakReport:
    """Figures, and which promises were not kept; the first tenth counts for errors alone."""
    began, ended = run.looks[0].at, run.looks[-1].at
    warm = began + _WARM_UP * (ended - began)
    by_minute = _by_minute(run.answers, run.looks)
    taken = {one.minute for one in by_minute if one.stolen_s > HOST_SHARE * 60 * run.processors}
    disturbed = [one.minute for one in by_minute if {one.minute - 1, one.minute} & taken]
    counted = [answer for answer in run.answers if answer.due >= warm]
    quiet = [answer for answer in counted if _minute(answer.due - began) not in disturbed] or counted
    whole_p50, whole_p99 = _quantiles_ms(counted)
    p50, p99 = _quantiles_ms(quiet)
    judged = [one.minute for one in by_minute if 60 * one.minute > warm - began]
    behind = [look.resident for look in run.looks if look.at >= warm]
    tenth = max(1, len(behind) // 10)
    first, last = float(np.median(behind[:tenth])), float(np.median(behind[-tenth:]))
    growth = last / first - 1
    broken = {
        "errors": run.errors > 0,
        "memory": growth > MAX_GROWTH,
        "p99": p99 >= MAX_SPREAD * p50,
        "host": whole_p99 >= MAX_SPREAD * whole_p50 and len({*disturbed} & {*judged}) > MAX_DISTURBED * len(judged),
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
        stolen_s=round(run.looks[-1].stolen_s - run.looks[0].stolen_s, 1),
        rungs=_rungs(run.answers),
        failed=[name for name, bad in broken.items() if bad],
        by_minute=by_minute,
    )


def minute_of(number: int, answers: Sequence[Answer], before: Look, after: Look) -> Minute:
    """One minute of what was due in it, at least one answer, between two looks."""
    p50, p99 = _quantiles_ms(answers)
    stolen_s = round(after.stolen_s - before.stolen_s, 1)
    return Minute(number, len(answers), p50, p99, _rungs(answers), round(after.resident / _MIB, 1), stolen_s)


def _by_minute(answers: Sequence[Answer], looks: Sequence[Look]) -> list[Minute]:
    began = looks[0].at
    found = _minutes(answers, began)
    last = {_minute(look.at - began): look for look in looks}
    ends = [looks[0]]
    for number in range(1, max(found) + 1):
        ends.append(last.get(number, ends[-1]))  # nobody looked in a minute in which the machine stood still
    return [minute_of(number, found[number], ends[number - 1], ends[number]) for number in sorted(found)]


def _spread(answers: Sequence[Answer], began: float) -> float:
    """The 99th percentile of answers' times, each over the median of its minute."""
    took = [np.array([answer.took for answer in minute]) for minute in _minutes(answers, began).values()]
    return round(float(np.quantile(np.concatenate([minute / np.median(minute) for minute in took]), 0.99)), 2)


def _minutes(answers: Sequence[Answer], began: float) -> dict[int, list[Answer]]:
    """What was due in each minute."""
    found: dict[int, list[Answer]] = {}
    for answer in answers:
        found.setdefault(_minute(answer.due - began), []).append(answer)
    return found


def _minute(seconds: float) -> int:
    """The number of the minute, from 1."""
    return int(seconds // 60) + 1


def _rungs(answers: Sequence[Answer]) -> dict[str, float]:
    """Share of the quotes among answers by rung."""
    rungs = [answer.rung for answer in answers if answer.rung is not None]
    return {rung: round(rungs.count(rung) / len(rungs), 4) for rung in sorted(set(rungs))}


def _quantiles_ms(answers: Sequence[Answer]) -> tuple[float, float]:
    """p50 and p99."""
    p50, p99 = np.percentile([answer.took for answer in answers], [50, 99]) * 1e3
    return round(float(p50), 1), round(float(p99), 1)
