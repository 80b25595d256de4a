"""Reports of a run and of its comparison with the baseline, for terminal and HTML."""

import html
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.cli.output import print_table
from eval.gate.compare import Change, Comparison
from eval.gate.rows import Measure, Summary
from eval.page import page, table

_COLUMNS = ("group", "cases", "before", "now", "change, 95 % interval", "worse", "better", "p", "verdict")


def print_comparison(comparison: Comparison) -> None:
    """Print all groups, and examples of cases that got worse and better."""
    print_table(f"Comparison with the baseline of {comparison.baseline.made_at:%Y-%m-%d}", _COLUMNS, _rows(comparison))
    for title, cases in _examples(comparison):
        sys.stdout.write(f"\n{title}\n")
        sys.stdout.writelines(f"  {line}\n" for one in cases for line in _lines(one))


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write the comparison as an HTML page."""
    now, before = comparison.current.versions, comparison.baseline.versions
    verdict = "; ".join(comparison.regressions) or "nothing got worse beyond the tolerance"
    parts = [
        f"<h1>eval {html.escape(comparison.current.command)}: {html.escape(verdict)}</h1>",
        table(
            ("", "models", "prompts", "revision"),
            [
                (name, ", ".join(f"{k} {v}" for k, v in v.models.items()), ", ".join(v.prompts), v.revision[:12])
                for name, v in (("baseline", before), ("now", now))
            ],
        ),
        f"<p>Tolerance {comparison.tolerance:g}; new cases: {len(comparison.new)}.</p>",
        table(_COLUMNS, _rows(comparison)),
    ]
    for title, cases in _examples(comparison):
        lines = "".join(f"<li>{'<br>'.join(map(html.escape, _lines(one)))}</li>" for one in cases)
        parts.append(f"<h2>{html.escape(title)}</h2><ul>{lines}</ul>")
    path.write_text(page(f"Pricesmith: eval {comparison.current.command}", "".join(parts)), "utf-8")


def print_summary(summary: Summary) -> None:
    """Print the mean of each group."""
    print_table(f"eval {summary.command}, {summary.mode}", ("group", "cases", "mean"), summary_rows(summary))


def write_summary(summary: Summary, path: Path) -> None:
    """Write the mean of each group and all failures as an HTML page."""
    failed = [row for row in summary.rows if row.measure is Measure.PASS and not row.passed]
    lines = "".join(f"<li>{html.escape(f'{row.group}, {row.case}: {row.shown}')}</li>" for row in failed)
    body = (
        f"<h1>eval {html.escape(summary.command)}, {html.escape(summary.mode)}</h1>"
        + table(("group", "cases", "mean"), summary_rows(summary))
        + f"<h2>{len(failed)} failures</h2><ul>{lines}</ul>"
    )
    path.write_text(page(f"Pricesmith: eval {summary.command}", body), "utf-8")


def summary_rows(summary: Summary) -> list[tuple[str, str, str]]:
    """Tabulate group, number of cases, mean."""
    groups: dict[str, list[float]] = {}
    for row in summary.rows:
        groups.setdefault(row.group, []).append(row.value)
    return [(group, str(len(values)), f"{sum(values) / len(values):.3f}") for group, values in groups.items()]


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    return [
        (
            one.group,
            str(one.cases),
            f"{one.before:.3f}",
            f"{one.after:.3f}",
            f"{one.low:+.3f} to {one.high:+.3f}",
            str(one.fell),
            str(one.rose),
            f"{one.p_worse:.2g}",
            one.regression or "ok",
        )
        for one in comparison.groups
    ]


def _examples(comparison: Comparison) -> Iterator[tuple[str, Sequence[Change]]]:
    for one in comparison.groups:
        if one.worse:
            yield f"{one.group}: got worse", one.worse
        if one.better:
            yield f"{one.group}: got better", one.better


def _lines(one: Change) -> list[str]:
    return [f"{one.case}: {one.before:.3g} before, {one.after:.3g} now", f"before: {one.was}", f"now: {one.now}"]
