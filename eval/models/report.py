"""Report of `pricesmith eval models`: tables for the terminal, a self-contained HTML page with plots."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from matplotlib import pyplot as plt

from agent.cli.output import print_facts, print_table
from eval.demand.metrics import DemandScores
from eval.demand.satisfaction import SatisfactionScores
from eval.models.run import PRICESMITH, DemandLine, ModelsReport
from eval.page import page, svg, table
from eval.strategist.protocol import StrategistReport

_FIT: Final = (
    ("log loss", "log_loss", "{:.5f}"),
    ("RIG", "rig", "{:.4f}"),
    ("AUC", "auc", "{:.4f}"),
    ("PR-AUC", "pr_auc", "{:.4f}"),
)
_PRICE: Final = (
    ("AUC A", "auc_a", "{:.3f}"),
    ("AUC B", "auc_b", "{:.3f}"),
    ("elasticity", "elasticity", "{:.2f}"),
    ("wrong sign", "wrong_sign_share", "{:.1%}"),
    ("residual slope", "residual_slope", "{:+.3f}"),
    ("mean/rate", "mean_over_rate", "{:.3f}"),
)
_CAUTION: Final = (
    "The demo data (Complete Journey) is simulated and for education only; the results say nothing about real shoppers."
)
Rows = list[list[str]]


def print_report(report: ModelsReport) -> None:
    """Print all tables."""
    for title, columns, rows in tables(report):
        print_table(title, columns, rows)
    print_facts({"90 % intervals cover": f"{report.coverage_90:.1%}", "note": _CAUTION})


def tables(report: ModelsReport) -> list[tuple[str, Sequence[str], Rows]]:
    """Build all tables: title, columns, rows."""
    result: list[tuple[str, Sequence[str], Rows]] = [
        (
            f"Demand, {report.split} weeks",
            ("model", *(name for name, _, _ in _FIT), "log loss less ours, 1e-5 (95 %)"),
            [[line.name, *_cells(line.scores, _FIT), _against(line)] for line in report.demand],
        ),
        (
            f"Demand by stratum and price, {report.split} weeks",
            ("model", *(name for name, _, _ in _PRICE)),
            [[line.name, *_cells(line.scores, _PRICE)] for line in report.demand],
        ),
    ]
    if report.satisfaction is not None:
        result += _satisfaction_tables(report.satisfaction, report.split)
    if report.curve:
        names = list(report.curve[0].log_loss)
        result.append(
            (
                "Learning curve, log loss by training rows",
                ("rows", *names),
                [[f"{p.rows:,}", *(f"{p.log_loss[name]:.5f}" for name in names)] for p in report.curve],
            )
        )
    if report.ablations:
        columns = ("evaluator", *(name for name, _, _ in _FIT))
        result.append(("Ablations", columns, [[name, *_cells(s, _FIT)] for name, s in report.ablations.items()]))
    if report.baskets:
        result.append(
            (
                "Next basket, Recall@20 / NDCG@10",
                ("method", "all", "new only", "households"),
                [
                    [name, f"{s.recall:.3f}/{s.ndcg:.3f}", f"{s.recall_new:.3f}/{s.ndcg_new:.3f}", str(s.households)]
                    for name, s in report.baskets.items()
                ],
            )
        )
    return result + (_strategist_tables(report.strategist, report.split) if report.strategist else [])


def _satisfaction_tables(found: SatisfactionScores, split: str) -> list[tuple[str, Sequence[str], Rows]]:
    bins = zip(found.predicted, found.observed, strict=True)
    return [
        (
            f"Satisfaction, {split} weeks: repurchase within eight weeks of {found.sales:,} sales",
            ("model", "log loss", "AUC", "mean/rate"),
            [
                [PRICESMITH, f"{found.log_loss:.5f}", f"{found.auc:.4f}", f"{found.mean_over_rate:.3f}"],
                ["rate of the training weeks", f"{found.constant:.5f}", ".5000", ""],
            ],
        ),
        (
            "Satisfaction, calibration in fifths of the sales",
            ("predicted", "observed"),
            [[f"{predicted:.3f}", f"{observed:.3f}"] for predicted, observed in bins],
        ),
    ]


def _strategist_tables(report: StrategistReport, split: str) -> list[tuple[str, Sequence[str], Rows]]:
    names = {
        "first": f"{PRICESMITH}, first choice",
        "best_of_8": f"{PRICESMITH}, best of 8",
        "hold": "hold",
        "random_8": "best of 8 random moves",
        "heuristic_8": "best of 8 heuristic moves",
    }
    regret_rows = [
        [
            names[name],
            f"{r.mean.value:.2f} ({r.mean.low:.2f} to {r.mean.high:.2f})",
            f"{r.median:.2f}",
            f"{r.p90:.2f}",
            f"{r.within_half:.1%}",
        ]
        for name, r in report.regret.items()
    ]
    check_rows = [
        ["valid output", f"{report.valid_share:.1%}", str(report.situations)],
        ["distinct among 8", f"{report.distinct:.2f}", str(report.situations)],
        *([name, f"{check.share:.1%}", str(check.situations)] for name, check in report.sensitivity.items()),
        ["median ms per prompt", f"{report.ms_per_prompt:.1f}", ""],
    ]
    return [
        (
            f"Candidate regret in percent, held-out situations of {split} weeks",
            ("candidates", "mean (95 %)", "median", "90th percentile", "at most .5 %"),
            regret_rows,
        ),
        ("Strategist", ("check", "value", "situations"), check_rows),
    ]


def write_page(report: ModelsReport, path: Path) -> None:
    """Write the report as one HTML file with inline plots."""
    versions = ", ".join(f"{kind} {version}" for kind, version in report.versions.items())
    parts = [f"<h1>Models</h1><p>Versions: {html.escape(versions)}. {html.escape(_CAUTION)}</p>"]
    parts.append(f"<p>90 % intervals cover the observed purchases of {report.coverage_90:.1%} of product groups.</p>")
    parts += [f"<figure>{plot}</figure>" for plot in (_calibration(report), _response(report), *_curve(report))]
    for title, columns, rows in tables(report):
        parts.append(f"<h2>{html.escape(title)}</h2>{table(columns, rows)}")
    path.write_text(page(f"Pricesmith: models, {report.split}", "".join(parts)), "utf-8")


def _cells(scores: DemandScores, columns: Sequence[tuple[str, str, str]]) -> list[str]:
    values: Mapping[str, Any] = asdict(scores)
    return [form.format(values[name]) for _, name, form in columns]


def _against(line: DemandLine) -> str:
    """Format the log loss minus Pricesmith's in units of 1e-5; positive if Pricesmith is better."""
    if line.against is None:
        return ""
    value, low, high = (1e5 * end for end in (line.against.value, line.against.low, line.against.high))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def _calibration(report: ModelsReport) -> str:
    figure, axes = plt.subplots(figsize=(5, 4))
    for name, line in report.calibration.items():
        axes.plot(line.predicted, line.observed, marker="o", markersize=3, label=name)
    edge = max(max(line.predicted) for line in report.calibration.values())
    axes.plot([1e-4, edge], [1e-4, edge], color="grey", linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="predicted", ylabel="bought", title="Calibration")
    axes.legend()
    return svg(figure)


def _response(report: ModelsReport) -> str:
    figure, axes = plt.subplots(figsize=(5, 4))
    line = report.response
    axes.fill_between(line["price_ratio"], line["relative_low"], line["relative_high"], alpha=0.25)
    axes.plot(line["price_ratio"], line["relative"])
    axes.set(
        xlabel="price / reference", ylabel="purchase probability / at reference", title="Price response (middle half)"
    )
    return svg(figure)


def _curve(report: ModelsReport) -> list[str]:
    if not report.curve:
        return []
    figure, axes = plt.subplots(figsize=(5, 4))
    for name in report.curve[0].log_loss:
        axes.plot([p.rows for p in report.curve], [p.log_loss[name] for p in report.curve], marker="o", label=name)
    axes.set(xscale="log", xlabel="training rows", ylabel="log loss", title="Learning curve")
    axes.legend()
    return [svg(figure)]
