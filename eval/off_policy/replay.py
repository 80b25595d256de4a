"""Point-in-time replay of a log: the prices of candidate versions for every logged request.

Requests go through the pipeline's own steps in the order of the log. The candidate learns from each outcome at the time
it was known, never earlier, and prices without exploration.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import numpy as np

from agent.domain.clock import SystemClock
from agent.pricing.evaluator_inputs import EvaluatorReader
from agent.pricing.flow import Flow, Observation
from agent.pricing.pipeline import Pipeline
from agent.pricing.score import Scorer
from agent.service.assembly import build_components
from agent.service.settings import Settings
from agent.state.loading import load_active_evaluator
from agent.state.online_learner import Learner
from agent.store import Store
from agent.store.data_folder import DataFolder
from eval.off_policy.log import Log, LoggedQuote
from models.arrays import Floats
from models.evaluator.lesson import Lesson
from models.progress import Progress
from models.registry.registry import ModelKind, Registry

RATIOS: Final = tuple(round(0.4 + 0.05 * step, 2) for step in range(33))  # non-personalised prices over the reference
_BATCH: Final = 32
_PATIENT_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """Quotes of a log that could be replayed, in log order, with the candidate's prices.

    Attributes:
        price: Candidate's prices in minor units, `(n,)`.
        fixed: Non-personalised prices after the limits, one per ratio, `(n, len(RATIOS))`.
        unit_cost: Minor units, `(n,)`.
        personalised: Whether the candidate's price differs from the reference, `(n,)`.
        lessons: Training input of each outcome, computed before it.
    """

    quotes: tuple[LoggedQuote, ...]
    price: Floats
    fixed: Floats
    unit_cost: Floats
    personalised: Floats
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    quote: LoggedQuote
    price: int
    fixed: tuple[int, ...]
    unit_cost: float
    personalised: bool
    lesson: Lesson


@dataclass(slots=True)
class _Replay:
    """A counterfactual pipeline with a learner of its own."""

    pipeline: Pipeline
    learner: Learner
    last_price: dict[tuple[str | None, str | None], int]

    def batch(self, quotes: Sequence[LoggedQuote]) -> Iterator[_Row]:
        """Run steps 1-6 of the pipeline for consecutive quotes."""
        pipeline = self.pipeline
        pairs = []
        for quote in quotes:
            request = quote.request.model_copy(update={"deadline_ms": _PATIENT_MS})
            seen = pipeline.observer.read([request], quote.decision.at)[0]
            if isinstance(seen, Observation):
                last = self.last_price.get((seen.shopper_id, seen.product_id))
                pairs.append((quote, seen.with_last_price(last)))
                self.last_price[(seen.shopper_id, seen.product_id)] = quote.decision.price_minor
        if not pairs:
            return
        flow = Flow([quote.request for quote, _ in pairs], pairs[0][0].decision.at)
        pipeline.observer.complete(flow, [seen for _, seen in pairs])
        pipeline.retriever.retrieve(flow)
        pipeline.proposer.propose(flow)
        pipeline.scorer.score(flow)
        pipeline.selector.select(flow)
        pipeline.guard.guard(flow)
        lessons = pipeline.scorer.lessons(flow, [quote.decision.price_minor for quote, _ in pairs])
        for (quote, seen), own, lesson in zip(pairs, flow.guarded, lessons, strict=True):
            fixed = tuple(seen.price_limits.preview([round(r * seen.reference_minor) for r in RATIOS]))
            personalised = seen.held is None and own.price_minor != seen.reference_minor
            yield _Row(quote, own.price_minor, fixed, seen.unit_cost, personalised, lesson)


def replay(
    log: Log, settings: Settings, store: Store, versions: Mapping[ModelKind, str], progress: Progress
) -> Replayed:
    """Replay a log with the active versions, some replaced by `versions`.

    Raises:
        RegistryError: A version is missing, damaged or incompatible with the others.
    """
    rows: list[_Row] = []
    waiting: list[_Row] = []
    with _candidate(settings, store, versions) as candidate:
        for begin in range(0, len(log.quotes), _BATCH):
            progress("replay", begin / len(log.quotes))
            batch = log.quotes[begin : begin + _BATCH]
            now = batch[0].decision.at
            due = sorted((row for row in waiting if row.quote.settled_at < now), key=lambda row: row.quote.settled_at)
            for row in due:
                candidate.learner.effects.learn(row.lesson, row.quote.bought)
            waiting = [row for row in waiting if row.quote.settled_at >= now]
            replayed = list(candidate.batch(batch))
            rows += replayed
            waiting += replayed
    progress("replay", 1.0)
    return Replayed(
        quotes=tuple(row.quote for row in rows),
        price=np.asarray([row.price for row in rows], np.float64),
        fixed=np.asarray([row.fixed for row in rows], np.float64).reshape(len(rows), len(RATIOS)),
        unit_cost=np.asarray([row.unit_cost for row in rows], np.float64),
        personalised=np.asarray([row.personalised for row in rows], np.float64),
        lessons=tuple(row.lesson for row in rows),
    )


@contextmanager
def _candidate(settings: Settings, store: Store, versions: Mapping[ModelKind, str]) -> Iterator[_Replay]:
    """Open the candidate on a temporary folder with the data folder's models and indexes, and its own versions."""
    home = DataFolder(settings.data_dir)
    root = Path(mkdtemp(prefix="pricesmith-replay-"))
    try:
        registry = _registry(home, DataFolder(root), versions)
        if home.product_index.parent.is_dir():
            shutil.copytree(home.product_index.parent, root / "indexes")
        own = settings.model_copy(update={"data_dir": root})
        parts = build_components(own, store, SystemClock(), None)
        known = parts.learner
        learner = Learner(
            root / "replay", registry.active(ModelKind.EVALUATOR), in_domain=known.in_domain, start=known.start
        )
        pipeline = parts.pipeline.counterfactual()
        evaluator = load_active_evaluator(registry)
        retriever = pipeline.retriever.reading_with(EvaluatorReader(evaluator, learner))
        yield _Replay(replace(pipeline, retriever=retriever, scorer=Scorer(evaluator)), learner, {})
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _registry(home: DataFolder, away: DataFolder, versions: Mapping[ModelKind, str]) -> Registry:
    """Create a registry of links to the versions of `home` with `versions` active; checks their compatibility."""
    known = Registry(home.models)
    active = {**known.in_use(), **versions}
    registry = Registry(away.models)
    for kind in ModelKind:
        if kind not in active:
            continue
        target = registry.folder(kind, active[kind])
        target.parent.mkdir(parents=True)
        target.symlink_to(known.folder(kind, active[kind]).resolve())
        registry.activate(kind, active[kind])
    return registry
