"""One run against its baseline, group by group, on the cases that both hold.

Pass rows: McNemar's test in its exact form (a binomial test on the cases that changed). Scores: Wilcoxon's signed-rank
test, with a bootstrap interval of the mean difference (Efron & Tibshirani 1993, ch. 8). Both one-sided: is it worse?

A group has got worse when its mean falls by more than the tolerance and the test gives less than `ALPHA`; a strict
group as soon as one case fails that passed; any group when cases of the baseline were not run again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import binomtest, wilcoxon

from eval.gate.rows import GateError, Measure, Row, Summary
from models.arrays import Floats

TOLERANCE: Final = 0.02
ALPHA: Final = 0.1
ALL: Final = "all that is not strict"
_RESAMPLES: Final = 2_000
_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class Change:
    """One case whose value changed."""

    case: str
    before: float
    after: float
    was: str
    now: str


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A group before and after.

    Attributes:
        low, high: 95 % interval of the mean difference.
        fell, rose: Cases whose value did; `worse` and `better` show those that changed most.
        p_worse: How probable so much loss would be if nothing had changed for the worse.
        regression: Why the run may not pass; None when it may.
    """

    group: str
    measure: Measure
    strict: bool
    cases: int
    before: float
    after: float
    low: float
    high: float
    p_worse: float
    fell: int
    rose: int
    worse: tuple[Change, ...]
    better: tuple[Change, ...]
    missing: tuple[str, ...]
    regression: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All groups; `new` are cases that the baseline does not hold."""

    tolerance: float
    baseline: Summary
    current: Summary
    groups: tuple[GroupChange, ...]
    new: tuple[str, ...]

    @property
    def regressions(self) -> list[str]:
        """Why this run is worse, empty when it is not."""
        return [f"{one.group}: {one.regression}" for one in self.groups if one.regression is not None]


def compare(baseline: Summary, current: Summary, tolerance: float = TOLERANCE) -> Comparison:
    """Align by case and test.

    Raises:
        GateError: The two are runs of different commands, or share no case.
    """
    if baseline.command != current.command:
        raise GateError(f"the baseline is a run of eval {baseline.command}, this is eval {current.command}")
    old, new = _by_name(baseline.rows), _by_name(current.rows)
    if not old.keys() & new.keys():
        raise GateError("the baseline holds none of the cases of this run; remedy: save it again with --save-baseline")
    same_cases = baseline.mode == current.mode
    groups = [
        _group(group, [(old.get(name), new.get(name)) for name in names], tolerance, same_cases=same_cases)
        for group, names in _grouped([*old, *new]).items()
    ]
    loose = [(old[n], new[n]) for n in old if n in new and not old[n].strict and old[n].measure is Measure.PASS]
    if len({was.group for was, _ in loose}) > 1:
        groups.append(_group(ALL, loose, tolerance, same_cases=False))
    unknown = tuple(f"{group}: {case}" for group, case in new if (group, case) not in old)
    return Comparison(tolerance, baseline, current, tuple(g for g in groups if g is not None), unknown)


Name = tuple[str, str]


def _by_name(rows: Sequence[Row]) -> dict[Name, Row]:
    return {(row.group, row.case): row for row in rows}


def _grouped(names: Sequence[Name]) -> Mapping[str, list[Name]]:
    found: dict[str, dict[Name, None]] = defaultdict(dict)
    for name in names:
        found[name[0]][name] = None
    return {group: list(own) for group, own in found.items()}


def _group(
    group: str, pairs: Sequence[tuple[Row | None, Row | None]], tolerance: float, *, same_cases: bool
) -> GroupChange | None:
    both = [(was, now) for was, now in pairs if was is not None and now is not None]
    missing = tuple(was.case for was, now in pairs if was is not None and now is None) if same_cases else ()
    if not both and not missing:
        return None
    first = next(was for was, _ in pairs if was is not None)
    before = np.asarray([was.value for was, _ in both])
    after = np.asarray([now.value for _, now in both])
    gap = after - before
    low, high = _interval(gap)
    strict = first.strict and group != ALL
    p = _p_worse(gap, first.measure)
    regression = _regression(gap, p, (tolerance, strict, len(missing)))
    return GroupChange(
        group=group,
        measure=first.measure,
        strict=strict,
        cases=len(both),
        before=float(before.mean()) if both else float("nan"),
        after=float(after.mean()) if both else float("nan"),
        low=low,
        high=high,
        p_worse=p,
        fell=int((gap < 0).sum()),
        rose=int((gap > 0).sum()),
        worse=tuple(_changes(both, -1)),
        better=tuple(_changes(both, 1)),
        missing=missing,
        regression=regression,
    )


def _regression(gap: Floats, p: float, rule: tuple[float, bool, int]) -> str | None:
    """Why a group got worse, in words."""
    tolerance, strict, missing = rule
    if missing:
        return f"{missing} cases of the baseline were not run"
    fell = int((gap < 0).sum())
    if strict and fell:
        return f"{fell} of {len(gap)} that must never fail got worse"
    loss = -float(gap.mean()) if len(gap) else 0.0
    if loss > tolerance and p < ALPHA:
        return f"lost {loss:.3f} on average over {len(gap)} cases, allowed {tolerance:g} (p = {p:.2g})"
    return None


def _p_worse(gap: Floats, measure: Measure) -> float:
    changed = gap[gap != 0]
    if not len(changed):
        return 1.0
    if measure is Measure.PASS:
        return float(binomtest(int((changed < 0).sum()), len(changed), 0.5, alternative="greater").pvalue)
    return float(wilcoxon(changed, alternative="less").pvalue)


def _interval(gap: Floats, seed: int = 17) -> tuple[float, float]:
    if not len(gap):
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(0, len(gap), (_RESAMPLES, len(gap)))
    low, high = np.percentile(gap[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _changes(both: Sequence[tuple[Row, Row]], sign: int) -> Iterator[Change]:
    """The cases that changed most in one direction."""
    moved = sorted(
        ((was, now) for was, now in both if (now.value - was.value) * sign > 0),
        key=lambda pair: -abs(pair[1].value - pair[0].value),
    )
    for was, now in moved[:_EXAMPLES]:
        yield Change(was.case, was.value, now.value, was.shown, now.shown)
