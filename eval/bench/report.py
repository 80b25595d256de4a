"""Reports of `make bench`: a JSON document of a stable layout, ratios to peers and to a baseline, tables.

Layout 1: `machine`, `run`, and by subject (`this`, `workers`, `before`, `bare`, `naive`) its `rows`, and for servers
start time, memory, stages, rungs and sizes; `ratios` by row. Later layouts only add; a change counts `layout` up.
"""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from eval.bench.figures import RowFigures, times_faster
from eval.bench.rows import ROWS, Row
from eval.bench.samples import Sampled
from eval.bench.subjects import Memory

LAYOUT: Final = 1
_FLAGS: Final = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


@dataclass(slots=True)
class SubjectReport:
    """Figures of one subject."""

    tree: str = ""
    commit: str = ""
    start_s: float | None = None
    warm_s: float | None = None
    memory_warm: Memory | None = None
    memory_end: Memory | None = None
    sampled: Sampled | None = None
    rows: dict[str, RowFigures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowRatios:
    """Ratios of one row, above 1 where this tree is better; None where not measured.

    Attributes:
        figure: Whether latency or throughput is compared.
        workers: Throughput with several worker processes over that of the commit before.
        bare_frac: Throughput as a fraction of the bare handler's for the same kind of request and as many clients.
    """

    figure: str
    before: float | None
    before_goal: float | None
    workers: float | None
    naive: float | None
    bare_frac: float | None
    bare_goal: float | None
    baseline: float | None


def machine() -> dict[str, Any]:
    """Description of this machine."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    named = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = named.get("flags", "").split()
    return {
        "processor": named.get("model name", platform.processor()),
        "cores": os.cpu_count(),
        "instructions": [flag for flag in _FLAGS if flag in flags],
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def row_ratios(subjects: Mapping[str, Mapping[str, Any]], baseline: Mapping[str, Any] | None) -> dict[str, RowRatios]:
    """Ratios of each measured row to its peers, from the rows of a document's subjects and an earlier document's."""
    mine = subjects["this"]["rows"]
    then = {} if baseline is None else baseline["subjects"]["this"]["rows"]
    return {row.name: _ratios(row, mine[row.name], subjects, then) for row in ROWS if row.name in mine}


def _ratios(
    row: Row, mine: Mapping[str, float], subjects: Mapping[str, Mapping[str, Any]], then: Mapping[str, Any]
) -> RowRatios:
    def of(subject: str, name: str, figure: str) -> float | None:
        rows = subjects.get(subject, {}).get("rows", {})
        return times_faster(mine, rows.get(name, {}), figure)

    several = subjects.get("workers", {}).get("rows", {}).get(row.name, {})
    before = subjects.get("before", {}).get("rows", {}).get(row.name, {})
    return RowRatios(
        figure=row.figure,
        before=of("before", row.name, row.figure),
        before_goal=row.goal,
        workers=times_faster(several, before, "quotes_s"),
        naive=of("naive", "random" if row.quotes == 1 else "page_met", "quotes_s"),
        bare_frac=of("bare", row.like, "quotes_s") if row.like else None,
        bare_goal=row.bare,
        baseline=times_faster(mine, then.get(row.name, {}), row.figure),
    )


def document(
    subjects: Mapping[str, SubjectReport], run: Mapping[str, Any], more: Mapping[str, Any], baseline: Path | None
) -> dict[str, Any]:
    """The JSON document of a run; `more` has figures beside the rows."""
    earlier = json.loads(baseline.read_text("utf-8")) if baseline is not None else None
    known = {name: asdict(one) for name, one in subjects.items()}
    ratios = {name: asdict(one) for name, one in row_ratios(known, earlier).items()}
    return {"layout": LAYOUT, "machine": machine(), "run": dict(run), "subjects": known, **more, "ratios": ratios}


def row_table(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns and cells of the table of rows; columns of what was not measured are left out."""
    subjects, ratios = found["subjects"], found["ratios"]
    columns = ["", "p50 ms", "p99 ms", "quotes/s", "errors"]
    before, naive, bare = (name in subjects for name in ("before", "naive", "bare"))
    baseline = any(one["baseline"] for one in ratios.values())
    columns += ["before p50 ms", "before quotes/s", "times", "goal"] * before
    columns += ["of bare", "goal"] * bare + ["x naive"] * naive + ["x baseline"] * baseline
    rows = []
    for row in ROWS:
        if row.name not in subjects["this"]["rows"]:
            continue
        mine, ratio = subjects["this"]["rows"][row.name], ratios[row.name]
        cells = [row.title, *_figures(mine), str(mine["errors"])]
        if before:
            then = subjects["before"]["rows"].get(row.name, {})
            cells += [_number(then.get("p50_ms")), _number(then.get("quotes_s")), _times(ratio["before"])]
            cells += [_times(ratio["before_goal"])]
        if bare:
            cells += [_percent(ratio["bare_frac"]), _percent(ratio["bare_goal"])]
        cells += [_times(ratio["naive"])] * naive + [_times(ratio["baseline"])] * baseline
        rows.append(cells)
    for peer in ("workers", "bare", "naive"):
        for name, figures in subjects.get(peer, {}).get("rows", {}).items():
            title = next(row.title for row in ROWS if row.name == name)
            cells = [f"{peer}: {title}", *_figures(figures), str(figures["errors"])]
            if before and peer == "workers":
                cells += ["", "", _times(ratios[name]["workers"])]
            rows.append(cells + [""] * (len(columns) - len(cells)))
    return columns, rows


def further_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Lines of everything that is no row."""
    here, generator = found["machine"], found["run"]["generator"]
    yield f"{here['cores']} cores, {here['processor']}, {' '.join(here['instructions'])}; load: {generator}"
    for name, one in found["subjects"].items():
        if one["memory_end"] is not None:
            warm, end = one["memory_warm"], one["memory_end"]
            yield (
                f"{name} ({one['commit']}): ready after {one['start_s']:.1f} s, warm after {one['warm_s']:.0f} s; "
                f"memory {warm['rss_mib']:.0f} MiB resident, {warm['uss_mib']:.0f} its own, "
                f"{warm['processes']} processes; "
                f"{end['rss_mib']:.0f} and {end['uss_mib']:.0f} at the end"
            )
        if one["sampled"] is not None:
            for kind, stages in one["sampled"]["stages"].items():
                parts = [f"{stage} {part['p50_ms']:.1f} ({part['share']:.0%})" for stage, part in stages.items()]
                yield f"{name}, {kind}: {', '.join(parts)}"
            sizes = [f"{k} {s['text']} ({s['sent']} gzip)" for k, s in one["sampled"]["answer_bytes"].items()]
            yield f"{name}, bytes: {', '.join(sizes)}; rungs {one['sampled']['rungs']}"
    if (scored := found.get("scoring")) is not None:
        yield f"score: {scored['cold']} rows/s cold, {scored['warm']} warm, of {scored['rows']} rows"
    if (learned := found.get("learning")) is not None:
        yield f"learning: {learned['p50_ms']} ms an outcome, p99 {learned['p99_ms']} (processor time)"


def _figures(figures: Mapping[str, float]) -> Sequence[str]:
    return [_number(figures["p50_ms"]), _number(figures["p99_ms"]), _number(figures["quotes_s"])]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} x"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
