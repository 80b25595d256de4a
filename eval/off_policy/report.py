"""Report of off-policy evaluations: tables for the terminal and one HTML page with intervals."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib import pyplot as plt

from agent.cli.output import print_facts, print_table
from agent.training.promotion import Proof
from eval.off_policy.intervals import Estimate
from eval.off_policy.log import Log
from eval.off_policy.promotion import CandidateEvaluation, PolicyValue
from eval.page import page, svg, table

_COLUMNS: Final = (
    "policy",
    "kernel DR",
    "kernel SNIPS",
    "SNIPS, same price",
    "reward model",
    "bandwidth",
    "effective",
    "supported",
    "mean weight",
    "price",
    "above",
)
_NOTE: Final = (
    "Profit per decision over unit cost, minor units, with 95 % intervals over resampled shoppers. Price: mean over "
    "the reference. Effective: effective sample size. Supported: share of prices at or near which the log has prices."
)


def print_evaluation(evaluation: CandidateEvaluation, proof: Proof, log: Log) -> None:
    """Print the table and the verdict."""
    columns = zip(_COLUMNS, *(_row(policy) for policy in evaluation.policies), strict=True)
    headings, *rows = list(columns)
    print_table(f"{proof.decisions} logged decisions in {proof.currency}", headings, rows)
    left_out = ", ".join(f"{count} {reason}" for reason, count in log.left_out.items())
    print_facts(
        {
            "note": _NOTE,
            "logged policy": _interval(evaluation.logged),
            "left out": left_out or "none",
            "best price for everyone": ", ".join(f"{ratio:g} x reference" for ratio in evaluation.ratios),
            "gain over it": _interval(evaluation.verdict.gain),
            "verdict": _verdict(evaluation),
        }
    )


def write_page(evaluation: CandidateEvaluation, proof: Proof, path: Path) -> None:
    """Write one HTML file."""
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in evaluation.verdict.reasons)
    body = (
        f"<h1>Candidate on {proof.decisions:,} logged decisions</h1><p>{html.escape(_NOTE)}</p>"
        f"<p><b>{html.escape(_verdict(evaluation))}</b>: gain {html.escape(_interval(evaluation.verdict.gain))} "
        f"minor units of {html.escape(proof.currency)} per decision over the best price for everyone.</p>"
        f"<ul>{reasons}</ul>"
        f"<figure>{_picture(evaluation)}</figure>{table(_COLUMNS, [_row(policy) for policy in evaluation.policies])}"
    )
    path.write_text(page("Pricesmith: candidate on the log", body), "utf-8")


def print_accuracy(found: Sequence[Mapping[str, Any]]) -> None:
    """Print the accuracy of estimators on simulated logs."""
    rows = [
        (
            one["world"],
            one["target"],
            one["estimator"],
            f"{one['bias']:+.1%}",
            f"{one['rmse']:.1%}",
            "" if one["coverage"] is None else f"{one['coverage']:.1%}",
            "" if one["width"] is None else f"{one['width']:.1%}",
        )
        for one in found
    ]
    columns = ("shop", "policy", "estimator", "bias", "rmse", "coverage of 95 % intervals", "width")
    print_table("Estimators on simulated logs, relative to the true profit", columns, rows)


def _row(policy: PolicyValue) -> list[str]:
    facts = policy.diagnostics
    return [
        policy.name,
        _interval(policy.doubly_robust),
        _interval(policy.snips),
        _interval(policy.exact),
        f"{policy.direct:.2f}",
        f"{policy.bandwidth:g}",
        f"{facts.effective:.0f} of {facts.decisions}",
        f"{facts.supported:.0%}",
        f"{facts.mean_weight:.2f}",
        f"{policy.price_ratio:.3f}",
        f"{policy.above_reference:.0%}",
    ]


def _interval(estimate: Estimate) -> str:
    if estimate.value != estimate.value:
        return "-"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _verdict(evaluation: CandidateEvaluation) -> str:
    return "may go live" if evaluation.verdict.promotes else "may not go live"


def _picture(evaluation: CandidateEvaluation) -> str:
    lines = [("as logged", evaluation.logged), *((p.name, p.doubly_robust) for p in evaluation.policies)]
    figure, axes = plt.subplots(figsize=(7, 0.6 * len(lines) + 1.2))
    for row, (_, estimate) in enumerate(lines):
        axes.plot([estimate.low, estimate.high], [row, row], color="#2b6cb0", linewidth=2)
        axes.plot([estimate.value], [row], "o", color="#1c2430")
    axes.set_yticks(range(len(lines)), [name for name, _ in lines])
    axes.invert_yaxis()
    axes.set(xlabel="profit per decision, minor units", title="95 % intervals")
    return svg(figure)
