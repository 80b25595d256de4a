"""What candidate versions would have asked for every logged request, told nothing but what was known at the time.

The requests go through the pipeline's own steps in the order of the log. The candidate learns from the log's outcomes
as they came in, never from one that was still to come, and chooses without chance.
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

RATIOS: Final = tuple(round(0.4 + 0.05 * step, 2) for step in range(33))  # prices for everyone: 0.4 .. 2.0 of reference
_BATCH: Final = 32
_PATIENT_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """A log under candidate versions; the quotes that could be asked again, in the log's order.

    Attributes:
        price: `(n,)`, the candidate's, minor units.
        fixed: `(n, len(RATIOS))`, what the limits make of each ratio of the reference.
        unit_cost: `(n,)`, minor units.
        personalised: `(n,)`, whether the candidate's price was made for the shopper.
        lessons: What the evaluator said of each, before its outcome.
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
        """Steps 1-6 for quotes that came one after the other."""
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
        flow.observations = [seen for _, seen in pairs]
        flow.encoded = pipeline.observer.reader.encode(flow.observations)
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
    """Ask everything again of the active versions with `versions` in their place.

    Raises:
        RegistryError: A version is missing or damaged, or does not fit the others.
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
            fresh = list(candidate.batch(batch))
            rows += fresh
            waiting += fresh
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
    """The candidate on a folder of its own: the data folder's models and indexes, other active versions."""
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
            root / "untaught", registry.active(ModelKind.EVALUATOR), in_domain=known.in_domain, start=known.start
        )
        pipeline = parts.pipeline.counterfactual()
        evaluator = load_active_evaluator(registry)
        retriever = pipeline.retriever.reading_with(EvaluatorReader(evaluator, learner))
        yield _Replay(replace(pipeline, retriever=retriever, scorer=Scorer(evaluator)), learner, {})
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _registry(home: DataFolder, away: DataFolder, versions: Mapping[ModelKind, str]) -> Registry:
    """A registry of links to the versions at home with others active; checks that they fit together."""
    known = Registry(home.models)
    wanted = {**known.in_use(), **versions}
    registry = Registry(away.models)
    for kind in ModelKind:
        if kind not in wanted:
            continue
        target = registry.folder(kind, wanted[kind])
        target.parent.mkdir(parents=True)
        target.symlink_to(known.folder(kind, wanted[kind]).resolve())
        registry.activate(kind, wanted[kind])
    return registry
