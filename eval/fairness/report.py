"""The fairness report: what was measured, what must not be, and tables for terminal and page."""

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
    "Prices are over the reference price; intervals are 95 %, shoppers drawn.",
    "Demo data: Complete Journey, simulated and for education only; its labels never reach a price.",
    "Costs are set to 30 % of the list price, since at the demo's 70 % hardly any price moves.",
    "Gaps between groups are no proof of unequal treatment: groups buy differently. Pairs are.",
)
_LEAST_RECALL: Final = 0.95


@dataclass(frozen=True, slots=True)
class MentionLine:
    """How mentions in free text are found: `part` is tuned or held out."""

    part: str
    language: str
    mentions: int
    recall: float
    plain: int
    precision: float


@dataclass(frozen=True, slots=True)
class FairnessReport:
    """All that `eval fairness` measures."""

    pairs: list[PairLine]
    groups: list[GroupLine]
    mentions: list[MentionLine]
    probes: list[ProbeLine]


def regressions(report: FairnessReport) -> list[str]:
    """What must never be and is."""
    lost = [
        f"{line.where}: {line.name} told as {line.form} changed {line.differing} of {line.pairs} prices, by up to "
        f"{line.largest_pct:.2f} % of the reference price"
        for line in report.pairs
        if line.kind == PROTECTED and line.differing
    ]
    for where in dict.fromkeys(line.where for line in report.pairs):
        if not any(line.moved for line in report.pairs if line.where == where):
            lost.append(f"{where}: every price held the reference, so that the pairs show nothing")
    for line in report.mentions:
        if line.part == "tuned" and line.recall < _LEAST_RECALL:
            lost.append(f"mentions in free text, {line.language}: {line.recall:.1%} found, needed {_LEAST_RECALL:.0%}")
    return lost


def tables(report: FairnessReport) -> list[tuple[str, Sequence[str], list[list[str]]]]:
    """Every table: title, columns, rows."""
    pairs = [
        [
            *(one.where, one.kind, one.name, one.form, str(one.pairs), str(one.differing), _pct(one.gap_pct)),
            *(f"{one.largest_pct:.2f} %", f"{one.moved:.0%}"),
        ]
        for one in report.pairs
    ]
    groups = [
        [
            *(one.where, one.grouping, one.group, str(one.quotes), _ratio(one.price), _ratio(one.price_gap, sign=True)),
            *(f"{one.above.value:.1%}", _ratio(one.surplus), _ratio(one.surplus_gap, sign=True)),
        ]
        for one in report.groups
    ]
    mentions = [
        [one.part, one.language, str(one.mentions), f"{one.recall:.1%}", str(one.plain), f"{one.precision:.1%}"]
        for one in report.mentions
    ]
    probes = [
        [
            *(one.attribute, one.texts, str(one.n)),
            f"{one.encoder:.3f} ({one.encoder_low:.2f} to {one.encoder_high:.2f})",
            f"{one.words:.3f} ({one.words_low:.2f} to {one.words_high:.2f})",
            f"{one.shuffled:.3f} (at most {one.shuffled_most:.2f})",
        ]
        for one in report.probes
    ]
    shop, gap = "shop", "mean gap"
    return [
        (
            "Paired shoppers: protected attributes must change no price; proxies are reported",
            (shop, "kind", "what", "told as", "pairs", "differing", gap, "largest", "quotes off the reference"),
            pairs,
        ),
        (
            "Price, share above the reference and consumer surplus by group",
            (shop, "grouping", "group", "quotes", "price", "gap to the others", "above", "surplus", "its gap"),
            groups,
        ),
        (
            "Mentions in free text, on texts written by hand",
            ("texts", "language", "mentions", "found", "without", "precision"),
            mentions,
        ),
        (
            "What the encoder's states tell: area under the ROC curve of a logistic probe",
            ("attribute", "texts", "n", "encoder states", "bag of words", "shuffled labels"),
            probes,
        ),
    ]


def print_report(report: FairnessReport) -> None:
    """Tables for the terminal."""
    for title, columns, rows in tables(report):
        print_table(title, columns, rows)


def write_page(report: FairnessReport, path: Path) -> None:
    """One HTML file."""
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
