"""Comparison of a run with its baseline, by group, on the cases that both contain.

Pass rows use McNemar's exact test (a binomial test on the cases that changed), scores Wilcoxon's signed-rank test; both
are one-sided (is the run worse?). Intervals of the mean difference are by bootstrap (Efron & Tibshirani 1993, ch. 8).

A group got worse if its mean fell by more than the tolerance and the p-value is below `ALPHA`; a strict group as soon
as one case fails that passed before; any group if cases of the baseline were not run.
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
ALL: Final = "all non-strict groups"
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
    """One group before and after.

    Attributes:
        before, after: Mean value over the common cases.
        low, high: 95 % interval of the mean difference.
        p_worse: One-sided p-value of the hypothesis that the run is no worse.
        fell, rose: Number of cases whose value fell or rose; `worse` and `better` show those that changed most.
        missing: Cases of the baseline that were not run.
        regression: Reason why the group got worse, None if it did not.
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
    """All groups; `new` are cases that the baseline does not contain."""

    tolerance: float
    baseline: Summary
    current: Summary
    groups: tuple[GroupChange, ...]
    new: tuple[str, ...]

    @property
    def regressions(self) -> list[str]:
        """Groups that got worse, with reasons."""
        return [f"{one.group}: {one.regression}" for one in self.groups if one.regression is not None]


def compare(baseline: Summary, current: Summary, tolerance: float = TOLERANCE) -> Comparison:
    """Align two runs by case and test each group.

    Raises:
        GateError: The runs are of different commands, or have no case in common.
    """
    if baseline.command != current.command:
        raise GateError(
            f"the baseline is a run of eval {baseline.command}, this is a run of eval {current.command}; remedy: name "
            "a baseline of the same command"
        )
    old, new = _by_name(baseline.rows), _by_name(current.rows)
    if not old.keys() & new.keys():
        raise GateError("the baseline has none of the cases of this run; remedy: save it again with --save-baseline")
    same_cases = baseline.mode == current.mode
    groups = [
        _group(group, [(old.get(name), new.get(name)) for name in names], tolerance, same_cases=same_cases)
        for group, names in _grouped([*old, *new]).items()
    ]
    not_strict = [(old[n], new[n]) for n in old if n in new and not old[n].strict and old[n].measure is Measure.PASS]
    if len({before.group for before, _ in not_strict}) > 1:
        groups.append(_group(ALL, not_strict, tolerance, same_cases=False))
    added = tuple(f"{group}: {case}" for group, case in new if (group, case) not in old)
    return Comparison(tolerance, baseline, current, tuple(g for g in groups if g is not None), added)


Name = tuple[str, str]


def _by_name(rows: Sequence[Row]) -> dict[Name, Row]:
    return {(row.group, row.case): row for row in rows}


def _grouped(names: Sequence[Name]) -> Mapping[str, list[Name]]:
    groups: dict[str, dict[Name, None]] = defaultdict(dict)
    for name in names:
        groups[name[0]][name] = None
    return {group: list(unique) for group, unique in groups.items()}


def _group(
    group: str, pairs: Sequence[tuple[Row | None, Row | None]], tolerance: float, *, same_cases: bool
) -> GroupChange | None:
    both = [(old, new) for old, new in pairs if old is not None and new is not None]
    missing = tuple(old.case for old, new in pairs if old is not None and new is None) if same_cases else ()
    if not both and not missing:
        return None
    first = next(old for old, _ in pairs if old is not None)
    before = np.asarray([old.value for old, _ in both])
    after = np.asarray([new.value for _, new in both])
    difference = after - before
    low, high = _interval(difference)
    strict = first.strict and group != ALL
    p = _p_worse(difference, first.measure)
    regression = _regression(difference, p, (tolerance, strict, len(missing)))
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
        fell=int((difference < 0).sum()),
        rose=int((difference > 0).sum()),
        worse=tuple(_changes(both, -1)),
        better=tuple(_changes(both, 1)),
        missing=missing,
        regression=regression,
    )


def _regression(difference: Floats, p: float, rule: tuple[float, bool, int]) -> str | None:
    """Describe why a group got worse, None if it did not; `rule` is tolerance, strict, number of missing cases."""
    tolerance, strict, missing = rule
    if missing:
        return f"{missing} cases of the baseline were not run"
    fell = int((difference < 0).sum())
    if strict and fell:
        return f"{fell} of {len(difference)} cases that must never fail got worse"
    loss = -float(difference.mean()) if len(difference) else 0.0
    if loss > tolerance and p < ALPHA:
        return f"lost {loss:.3f} on average over {len(difference)} cases, allowed {tolerance:g} (p = {p:.2g})"
    return None


def _p_worse(difference: Floats, measure: Measure) -> float:
    changed = difference[difference != 0]
    if not len(changed):
        return 1.0
    if measure is Measure.PASS:
        return float(binomtest(int((changed < 0).sum()), len(changed), 0.5, alternative="greater").pvalue)
    return float(wilcoxon(changed, alternative="less").pvalue)


def _interval(difference: Floats, seed: int = 17) -> tuple[float, float]:
    if not len(difference):
        return float("nan"), float("nan")
    resamples = np.random.default_rng(seed).integers(0, len(difference), (_RESAMPLES, len(difference)))
    low, high = np.percentile(difference[resamples].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _changes(both: Sequence[tuple[Row, Row]], sign: int) -> Iterator[Change]:
    """Iterate over the cases that changed most in one direction."""
    changed = sorted(
        ((old, new) for old, new in both if (new.value - old.value) * sign > 0),
        key=lambda pair: -abs(pair[1].value - pair[0].value),
    )
    for old, new in changed[:_EXAMPLES]:
        yield Change(old.case, old.value, new.value, old.shown, new.shown)
