"""Conversion of a policy report to rows: Pricesmith's profit share and surplus by world, seed and tenth of visits."""

from collections.abc import Iterator

from eval.gate.rows import Measure, Row
from eval.policy.suites import FIRST_SEED, PRICESMITH, Line, PolicyReport


def policy_rows(report: PolicyReport) -> list[Row]:
    """Convert a report to rows; every run of a seed has the same visits, so tenths of two runs are pairs."""
    return [row for world, lines in report.worlds.items() for line in lines for row in _rows(world, line)]


def _rows(world: str, line: Line) -> Iterator[Row]:
    if line.policy != PRICESMITH:
        return
    shown = f"{line.breaches} prices outside the limits"
    yield Row(case=world, group="policy: limits", value=float(line.breaches == 0), strict=True, shown=shown)
    for group, tables in (("profit", line.profit_tenths), ("surplus", line.surplus_tenths)):
        for seed, tenths in enumerate(tables, start=FIRST_SEED):
            for number, value in enumerate(tenths, start=1):
                case = f"{world}, seed {seed}, tenth {number}"
                for name in (f"policy: {group}", f"policy: {group}, {world}"):
                    yield Row(case=case, group=name, value=value, measure=Measure.SCORE, shown=f"{value:.3f}")
