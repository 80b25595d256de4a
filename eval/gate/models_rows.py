"""Conversion of a model report to rows: Pricesmith's main metrics by block of households, and strict goals."""

from collections.abc import Iterator

from eval.gate.rows import Measure, Row
from eval.models.run import MAX_RESIDUAL_SLOPE, PRICESMITH, ModelsReport

_COVERAGE = (0.85, 0.95)
_MEAN = (0.95, 1.05)


def models_rows(report: ModelsReport) -> list[Row]:
    """Convert a report to rows; a block holds the same households in every run, so blocks of two runs are pairs."""
    return [*_blocks(report), *_goals(report)]


def _blocks(report: ModelsReport) -> Iterator[Row]:
    kept = {} if report.strategist is None else report.strategist.kept
    for group, values in (report.blocks | {f"strategist: {name}": blocks for name, blocks in kept.items()}).items():
        for number, value in enumerate(values):
            case = f"{report.split}, block {number}"
            yield Row(case=case, group=group, value=value, measure=Measure.SCORE, shown=f"{value:.4f}")


def _goals(report: ModelsReport) -> Iterator[Row]:
    scores = next(line.scores for line in report.demand if line.name == PRICESMITH)
    wrong_sign, mean = scores.wrong_sign_share, scores.mean_over_rate
    goals = {
        "no probability rises with the price": (wrong_sign == 0, f"{wrong_sign:.2%} of rows do"),
        "mean prediction near the rate": (_MEAN[0] <= mean <= _MEAN[1], f"{mean:.3f}"),
        "residual price slope near 0": (
            abs(scores.residual_slope) <= MAX_RESIDUAL_SLOPE,
            f"{scores.residual_slope:+.3f}",
        ),
        "90 % intervals cover 85 to 95 %": (
            _COVERAGE[0] <= report.coverage_90 <= _COVERAGE[1],
            f"{report.coverage_90:.1%}",
        ),
    }
    for name, (met, shown) in goals.items():
        case = f"{report.split}: {name}"
        yield Row(case=case, group="demand: goals", value=float(met), strict=True, shown=shown)
