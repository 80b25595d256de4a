"""A report on models as rows: Pricesmith's main figures by block of households, and what must never be lost."""

from collections.abc import Iterator

from eval.gate.rows import Measure, Row
from eval.models.run import PRICESMITH, ModelsReport

_COVERAGE = (0.85, 0.95)
_MEAN = (0.95, 1.05)


def models_rows(report: ModelsReport) -> list[Row]:
    """Blocks of two runs are pairs: the same households under two versions."""
    return [*_blocks(report), *_goals(report)]


def _blocks(report: ModelsReport) -> Iterator[Row]:
    kept = {} if report.strategist is None else report.strategist.kept
    for group, values in (report.blocks | {f"strategist: {name}": own for name, own in kept.items()}).items():
        for number, value in enumerate(values):
            case = f"{report.split}, block {number}"
            yield Row(case=case, group=group, value=value, measure=Measure.SCORE, shown=f"{value:.4f}")


def _goals(report: ModelsReport) -> Iterator[Row]:
    own = next(line.scores for line in report.demand if line.name == PRICESMITH)
    goals = {
        "no probability rises with the price": (own.wrong_sign_share == 0, f"{own.wrong_sign_share:.2%} of rows do"),
        "mean prediction near the rate": (_MEAN[0] <= own.mean_over_rate <= _MEAN[1], f"{own.mean_over_rate:.3f}"),
        "90 % intervals cover 85 to 95 %": (
            _COVERAGE[0] <= report.coverage_90 <= _COVERAGE[1],
            f"{report.coverage_90:.1%}",
        ),
    }
    for name, (held, shown) in goals.items():
        case = f"{report.split}: {name}"
        yield Row(case=case, group="demand: goals", value=float(held), strict=True, shown=shown)
