"""Regression gate: align the rows of a run and its baseline by case, test the pairs, report, set the exit code."""

from eval.gate.compare import ALPHA, TOLERANCE, Comparison, GroupChange, compare
from eval.gate.rows import GateError, Row, RunVersions, Summary, current_versions
from eval.gate.runs import Gate, RunSpec, compare_run, finish, load_baseline

__all__ = [
    "ALPHA",
    "TOLERANCE",
    "Comparison",
    "Gate",
    "GateError",
    "GroupChange",
    "Row",
    "RunSpec",
    "RunVersions",
    "Summary",
    "compare",
    "compare_run",
    "current_versions",
    "finish",
    "load_baseline",
]
