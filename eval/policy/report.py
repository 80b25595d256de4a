"""Report of policy evaluations: tables for the terminal and one HTML page with regret curves."""

import html
from pathlib import Path
from typing import Final

from matplotlib import pyplot as plt

from agent.cli.output import print_facts, print_table
from eval.page import page, svg, table
from eval.policy.suites import PRICESMITH, SINGLE, Line, PolicyReport

_NOTE: Final = (
    "Simulated shops. Share: expected profit, including exploration, over the highest profit attainable from observed "
    "data, up to that many visits, with the range over seeds. Lead: Pricesmith's share minus the policy's, with a 95 "
    "% interval over blocks of visits. Surplus: expected consumer surplus per visit over the reference price. The "
    "clairvoyant and the best fixed price know the true demand; learning peers are given the true opportunity cost of "
    "a unit, Pricesmith estimates it. Pricesmith's language model is off, and its weights are on profit alone. The "
    "simulated grocery is fitted to the demo data, which is itself simulated and for education only."
)

Rows = list[list[str]]


def print_report(report: PolicyReport) -> None:
    """Print one table per shop."""
    for world, lines in report.worlds.items():
        print_table(f"{world}: share of attainable profit", _columns(lines), _rows(lines))
    kept = kept_less(report)
    print_facts({"note": _NOTE, **({"surplus": kept} if kept else {}), "visits": report.visits, "seeds": report.seeds})


def kept_less(report: PolicyReport) -> str:
    """Name the shops where shoppers keep less than under the best single price, and the settings that change it."""
    found = []
    for world, lines in report.worlds.items():
        surplus = {line.policy: line.surplus for line in lines}
        if PRICESMITH in surplus and SINGLE in surplus and surplus[PRICESMITH] < surplus[SINGLE]:
            found.append(f"{world} ({surplus[PRICESMITH]:.3f}, not {surplus[SINGLE]:.3f})")
    if not found:
        return ""
    return (
        f"Shoppers keep less than under the best single price: {', '.join(found)}. The merchant's weight_purchase and "
        "weight_satisfaction give it back; pricesmith eval policy --suite weights shows how much each costs."
    )


def write_page(report: PolicyReport, path: Path) -> None:
    """Write one HTML file with inline plots."""
    parts = [f"<h1>Pricing policies</h1><p>{html.escape(_NOTE)} {report.visits:,} visits, {report.seeds} seeds.</p>"]
    for world, lines in report.worlds.items():
        parts.append(f"<h2>{html.escape(world)}</h2><figure>{_curves(lines)}</figure>")
        parts.append(table(_columns(lines), _rows(lines)))
    path.write_text(page("Pricesmith: policies", "".join(parts)), "utf-8")


def _columns(lines: list[Line]) -> tuple[str, ...]:
    points = (f"to {point:,}" for point in lines[0].share)
    return ("policy", *points, "last fifth", "Pricesmith's lead", "surplus", "above", "breaches", "visits/s")


def _rows(lines: list[Line]) -> Rows:
    return [
        [
            line.policy,
            *(_share(line, point) for point in line.share),
            f"{line.last_share:.1%}",
            _lead(line),
            f"{line.surplus:.3f}",
            f"{line.above_reference:.0%}",
            str(line.breaches),
            f"{line.visits_a_second:.0f}",
        ]
        for line in lines
    ]


def _share(line: Line, point: int) -> str:
    low, high = line.share_low[point], line.share_high[point]
    return f"{line.share[point]:.1%}" + (f" ({low:.0%}-{high:.0%})" if low < high else "")


def _lead(line: Line) -> str:
    if not line.lead:
        return ""
    value, low, high = line.lead[max(line.lead)]
    return f"{value:+.1%} ({low:+.1%} to {high:+.1%})"


def _curves(lines: list[Line]) -> str:
    figure, axes = plt.subplots(figsize=(6, 4))
    for line in lines:
        wide = 2.2 if line.policy == "Pricesmith" else 1.0
        axes.plot(line.visit, line.regret, label=line.policy, linewidth=wide)
    axes.set(xlabel="visits", ylabel="regret, in attainable profit per visit", title="Cumulative regret")
    axes.legend()
    return svg(figure)
