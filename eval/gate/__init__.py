"""Whether a run is worse than its baseline: rows aligned by case, paired tests, a report, an exit code."""

from eval.gate.compare import ALPHA, TOLERANCE, Comparison, GroupChange, compare
from eval.gate.rows import GateError, Row, RunVersions, Summary, current_versions
from eval.gate.runs import Gate, RunOf, finish, gated, load_baseline

__all__ = [
    "ALPHA",
    "TOLERANCE",
    "Comparison",
    "Gate",
    "GateError",
    "GroupChange",
    "Row",
    "RunOf",
    "RunVersions",
    "Summary",
    "compare",
    "current_versions",
    "finish",
    "gated",
    "load_baseline",
]
