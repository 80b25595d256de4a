"""Figures of loads: latencies, throughput, shares and ratios. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

FIGURES: Final = ("p50_ms", "p99_ms", "quotes_s")


@dataclass(frozen=True, slots=True)
class Load:
    """One load as the generator saw it.

    Attributes:
        latency_us: Latency of each answered request, microseconds.
        errors: Requests refused, failed or without an answer; a page with a failed row counts once.
        seconds: From the first request to the last answer.
        generator_cpu_s: Processor time of the load generator.
    """

    latency_us: Sequence[float]
    errors: int
    seconds: float
    generator_cpu_s: float = 0.0

    def and_then(self, later: "Load") -> "Load":
        """Both loads, of two turns, as one."""
        return Load(
            [*self.latency_us, *later.latency_us],
            self.errors + later.errors,
            self.seconds + later.seconds,
            self.generator_cpu_s + later.generator_cpu_s,
        )


@dataclass(frozen=True, slots=True)
class RowFigures:
    """Figures of one row of the table."""

    clients: int
    requests: int
    quotes: int
    errors: int
    p50_ms: float
    p99_ms: float
    quotes_s: float
    generator_cpu_frac: float


def row_figures(load: Load, clients: int, quotes_each: int) -> RowFigures:
    """Figures of a load whose requests ask for `quotes_each` quotes; times of an empty load are nan."""
    latencies = np.asarray(load.latency_us, np.float64) / 1e3
    p50, p99 = np.percentile(latencies, [50, 99]).tolist() if len(latencies) else (float("nan"),) * 2
    quotes = len(latencies) * quotes_each
    return RowFigures(
        clients=clients,
        requests=len(latencies),
        quotes=quotes,
        errors=load.errors,
        p50_ms=round(p50, 3),
        p99_ms=round(p99, 3),
        quotes_s=round(quotes / load.seconds, 1) if load.seconds else 0.0,
        generator_cpu_frac=round(load.generator_cpu_s / load.seconds, 3) if load.seconds else 0.0,
    )


def times_faster(now: Mapping[str, float], before: Mapping[str, float], figure: str) -> float | None:
    """Ratio of a figure to an earlier one, above 1 where it is better now; None where one of them is not known."""
    new, old = now.get(figure), before.get(figure)
    if not new or not old or not np.isfinite([new, old]).all():
        return None
    return new / old if figure == "quotes_s" else old / new


def shares(steps: Sequence[Mapping[str, float]], total_ms: Sequence[float]) -> dict[str, dict[str, float]]:
    """Medians and shares of the steps of some requests; `rest` is what they leave of each request's latency.

    That is HTTP, reading the request, waiting, recording and writing the answer.
    """
    names = dict.fromkeys(name for one in steps for name in one)
    columns = {name: [one.get(name, 0.0) for one in steps] for name in names}
    columns["rest"] = [total - sum(one.values()) for one, total in zip(steps, total_ms, strict=True)]
    medians = {name: float(np.median(spent)) if spent else 0.0 for name, spent in columns.items()}
    whole = sum(medians.values()) or 1.0
    return {name: {"p50_ms": round(ms, 3), "share": round(ms / whole, 4)} for name, ms in medians.items()}


def flatness(figures: Iterable[float]) -> float:
    """The largest of some figures over the first, 1 where cost does not grow; nan without figures."""
    known = list(figures)
    return max(known) / known[0] if known and known[0] else float("nan")
