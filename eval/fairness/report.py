"""Fairness report: results, regressions, and tables for terminal and HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.cli.output import print_table
from eval.fairness.groups import GroupLine
from eval.fairness.pairs import PROTECTED, PairLine
from eval.fairness.probe import ProbeLine
from eval.off_policy.intervals import Estimate
from eval.page import page, table

_NOTES: Final = (
    "Prices are relative to the reference price; intervals are 95 %, over resampled shoppers.",
    "Demo data: Complete Journey, simulated and for education only; its labels are never used for pricing.",
    "Costs are set to 30 % of the list price, since at the demo's 70 % almost all prices equal the reference price.",
    "Gaps between groups do not prove unequal treatment, since groups buy differently; differences within pairs do.",
)
_MIN_RECALL: Final = 0.95

Table = tuple[str, Sequence[str], list[list[str]]]  # title, columns, rows


@dataclass(frozen=True, slots=True)
class MentionLine:
    """Detection of mentions in free text; `part` is tuned or held out."""

    part: str
    language: str
    mentions: int
    recall: float
    plain: int
    precision: float


@dataclass(frozen=True, slots=True)
class FairnessReport:
    """Results of `eval fairness`."""

    pairs: list[PairLine]
    groups: list[GroupLine]
    mentions: list[MentionLine]
    probes: list[ProbeLine]


def regressions(report: FairnessReport) -> list[str]:
    """Describe every violation: a protected attribute moved a price, no price moved at all, or recall is too low."""
    lost = [
        f"{line.where}: {line.name} stated as {line.form} changed {line.differing} of {line.pairs} prices, by up to "
        f"{line.largest_pct:.2f} % of the reference price"
        for line in report.pairs
        if line.kind == PROTECTED and line.differing
    ]
    for where in dict.fromkeys(line.where for line in report.pairs):
        if not any(line.moved for line in report.pairs if line.where == where):
            lost.append(f"{where}: every price equals the reference price, so the pairs show nothing")
    for line in report.mentions:
        if line.part == "tuned" and line.recall < _MIN_RECALL:
            lost.append(f"mentions in free text, {line.language}: recall {line.recall:.1%}, required {_MIN_RECALL:.0%}")
    return lost


def tables(report: FairnessReport) -> list[Table]:
    """Build all tables."""
    return [_pairs(report.pairs), _groups(report.groups), _mentions(report.mentions), _probes(report.probes)]


def _pairs(lines: Sequence[PairLine]) -> Table:
    rows = [
        [
            *(one.where, one.kind, one.name, one.form, str(one.pairs), str(one.differing), _pct(one.gap_pct)),
            *(f"{one.largest_pct:.2f} %", f"{one.moved:.0%}"),
        ]
        for one in lines
    ]
    columns = ("shop", "kind", "attribute", "form", "pairs", "differing", "mean gap", "largest", "moved quotes")
    return "Paired shoppers: protected attributes must change no price; proxies are reported", columns, rows


def _groups(lines: Sequence[GroupLine]) -> Table:
    rows = [
        [
            *(one.where, one.grouping, one.group, str(one.quotes), _ratio(one.price), _ratio(one.price_gap, sign=True)),
            *(f"{one.above.value:.1%}", _ratio(one.surplus), _ratio(one.surplus_gap, sign=True)),
        ]
        for one in lines
    ]
    columns = ("shop", "grouping", "group", "quotes", "price", "price gap", "above", "surplus", "surplus gap")
    return "Price, share above the reference price and consumer surplus by group", columns, rows


def _mentions(lines: Sequence[MentionLine]) -> Table:
    rows = [
        [one.part, one.language, str(one.mentions), f"{one.recall:.1%}", str(one.plain), f"{one.precision:.1%}"]
        for one in lines
    ]
    columns = ("texts", "language", "mentions", "recall", "without", "precision")
    return "Detection of mentions in free text, on hand-written texts", columns, rows


def _probes(lines: Sequence[ProbeLine]) -> Table:
    rows = [
        [
            *(one.attribute, one.texts, str(one.n)),
            f"{one.encoder:.3f} ({one.encoder_low:.2f} to {one.encoder_high:.2f})",
            f"{one.words:.3f} ({one.words_low:.2f} to {one.words_high:.2f})",
            f"{one.shuffled:.3f} (at most {one.shuffled_most:.2f})",
        ]
        for one in lines
    ]
    columns = ("attribute", "texts", "n", "encoder states", "bag of words", "shuffled labels")
    return "Protected attributes in encoder states: area under the ROC curve of a logistic probe", columns, rows


def print_report(report: FairnessReport) -> None:
    """Print all tables."""
    for title, columns, rows in tables(report):
        print_table(title, columns, rows)


def write_page(report: FairnessReport, path: Path) -> None:
    """Write the report as one HTML file."""
    lost = regressions(report)
    verdict = "Parity holds." if not lost else "Broken: " + "; ".join(lost)
    parts = [f"<h1>Fairness</h1><p><b>{html.escape(verdict)}</b></p><p>{html.escape(' '.join(_NOTES))}</p>"]
    for title, columns, rows in tables(report):
        parts.append(f"<h2>{html.escape(title)}</h2>{table(columns, rows)}")
    path.write_text(page("Pricesmith: fairness", "".join(parts)), "utf-8")


def _pct(one: Estimate) -> str:
    return "0" if one.value == one.low == one.high == 0 else f"{one.value:+.2f} % ({one.low:+.2f} to {one.high:+.2f})"


def _ratio(one: Estimate, *, sign: bool = False) -> str:
    plus = "+" if sign else ""
    return f"{one.value:{plus}.4f} ({one.low:{plus}.4f} to {one.high:{plus}.4f})"
