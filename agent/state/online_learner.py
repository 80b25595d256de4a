"""Online learner: Bayesian updates of the evaluator's last layer, made before an outcome is acknowledged.

The state is a function of the store's outcomes in order of their numbers. Snapshots have a watermark, after which
outcomes are replayed at the start, so that a killed process resumes to the same state. The inputs of an update are
recorded with the decision, so that later changes of shopper or product do not affect it.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from safetensors.numpy import load_file, save_file

from agent.domain.records import OutcomeRecord, OutcomeType
from agent.store import Store
from agent.store.codec import Offer
from agent.store.rows import chunks
from models.evaluator.lesson import Term
from models.evaluator.online_effects import OnlineEffects, Shift
from models.evaluator.text_effects import TextEffects
from models.evaluator.trained_effects import TrainedEffects
from retrieval import Manifest, SnapshotError
from retrieval.snapshot import open_snapshot, save_snapshot

SAVE_EVERY: Final = 1_000
_BATCH: Final = 500
_STATE: Final = "effects.safetensors"
_NAMES: Final = "names"
_SIGN: Final = {OutcomeType.PURCHASED: 1, OutcomeType.RETURNED: -1}


class Learner:
    """Learned effects of one evaluator version, in step with the store. Safe for several threads."""

    def __init__(self, folder: Path, evaluator: str, *, in_domain: bool, start: TrainedEffects | None = None) -> None:
        """Resume from the snapshot in `folder`, or start afresh when it is damaged or of another evaluator.

        Args:
            folder: Folder of the snapshots.
            evaluator: Version of the evaluator; outcomes of other evaluators' decisions are skipped.
            in_domain: Whether the evaluator was trained on this store's own data.
            start: Effects fitted in training, from which learning goes on; None without any.
        """
        self.in_domain = in_domain
        self.start = start
        self._folder = folder
        self._evaluator = evaluator
        self._lock = Lock()
        self._unsaved = 0
        self.watermark = 0
        self.effects = self._initial()
        try:
            self._load()
        except SnapshotError:
            self.watermark, self.effects = 0, self._initial()  # `catch_up` replays all outcomes

    def _initial(self) -> OnlineEffects:
        return OnlineEffects() if self.start is None else self.start.state.copy()

    def shift(self, situations: Sequence[Sequence[Term]], text: TextEffects | None = None) -> Shift:
        """The learned shift of situations, for the evaluator; `text` as in `OnlineEffects.shift`.

        In domain, only a product's own effect is uncertain before its first outcome: products drift; the evaluator's
        posterior covers the rest. Out of domain every effect is, as the evaluator has never seen such a shop; and so it
        is wherever training fitted effects, as it estimates the spread of new ones.
        """
        return self.effects.shift(situations, text, unseen=not self.in_domain or self.start is not None)

    def catch_up(self, store: Store, offers: Mapping[str, Offer] | None = None) -> int:
        """Learn from outcomes after the watermark; returns the number of updates.

        Args:
            store: The store of the outcomes.
            offers: Offers that the caller has read already, to save reading them again.
        """
        with self._lock:
            before = self.effects.lessons
            if not self._learn_new(store, offers or {}):
                last = store.last_outcome()  # offers made elsewhere, not to be skipped again and again
                self._learn_new(store, {})
                self._unsaved += max(0, last - self.watermark)
                self.watermark = max(self.watermark, last)
            learned = self.effects.lessons - before
            if self._unsaved >= SAVE_EVERY:
                self._save()
        return learned

    def relearn(self, store: Store) -> None:
        """Learn from the whole log again, without what was erased from it, and save a snapshot."""
        fresh = Learner(self._folder / "never", self._evaluator, in_domain=self.in_domain, start=self.start)
        fresh._unsaved = -sys.maxsize  # never saves
        fresh.catch_up(store)
        with self._lock:
            self.effects, self.watermark, self._unsaved = fresh.effects, fresh.watermark, 1
        self.catch_up(store)
        self.save()

    def save(self) -> None:
        """Save a snapshot unless the last one is current."""
        with self._lock:
            if self._unsaved:
                self._save()

    def _learn_new(self, store: Store, offers: Mapping[str, Offer]) -> bool:
        """Learn from all outcomes of quotes after the watermark; returns whether there were any."""
        start = self.watermark
        for batch in chunks(store.outcomes_since(self.watermark, of_quotes=True), _BATCH):
            self._learn_batch(store, batch, offers)
        return self.watermark > start

    def _learn_batch(
        self, store: Store, batch: Sequence[tuple[int, OutcomeRecord]], offers: Mapping[str, Offer]
    ) -> None:
        quotes = [outcome.quote_id for _, outcome in batch if outcome.quote_id is not None]
        known = store.outcomes_by_quote(quotes)
        if not offers.keys() >= set(quotes):
            offers = store.offers(quotes)
        for number, outcome in batch:
            offer = offers.get(outcome.quote_id or "")
            if offer is not None and offer.lesson is not None and offer.evaluator == f"evaluator/{self._evaluator}":
                before, after = labels(known[offer.id], outcome)
                if before is None and after is not None:
                    self.effects.learn(offer.lesson, after)
                elif after is not None and before is not after:
                    self.effects.relabel(offer.lesson, after)
            self.watermark = number
            self._unsaved += 1

    def _load(self) -> None:
        snapshot = open_snapshot(self._folder, self._made_with)
        arrays = load_file(str(snapshot.path / _STATE))
        text = arrays.pop(_NAMES).tobytes().decode()
        self.effects = OnlineEffects.from_arrays(text.split("\n") if text else [], arrays)
        self.watermark = snapshot.manifest.watermark

    def _save(self) -> None:
        def write(target: Path) -> Manifest:
            arrays = dict(self.effects.to_arrays())
            names = "\n".join(self.effects.names).encode()
            save_file({**arrays, _NAMES: np.frombuffer(names, np.uint8)}, str(target / _STATE))
            return Manifest(
                version=f"{self._made_with}/{self.watermark}",
                made_with=self._made_with,
                dim=2,
                count=len(self.effects.names),
                watermark=self.watermark,
            )

        save_snapshot(self._folder, write)
        self._unsaved = 0

    @property
    def _made_with(self) -> str:
        # "units": labels follow the units that were kept; "joint": products share the covariance. Older snapshots are
        # replaced by a replay.
        return f"{self._evaluator}/{'home' if self.in_domain else 'out_of_domain'}/units/joint"


def labels(outcomes: Iterable[OutcomeRecord], latest: OutcomeRecord) -> tuple[bool | None, bool | None]:
    """Labels (bought or not) of a quote before and after its latest outcome; None without an earlier outcome.

    `outcomes` are all of the quote, in order of arrival. A purchase overrides a decline, as the shopper came back; it
    counts for as long as some of its units are not returned.
    """
    earlier: list[OutcomeRecord] = []
    for outcome in outcomes:
        if outcome.outcome_id == latest.outcome_id:
            break
        earlier.append(outcome)
    return _label(earlier), _label([*earlier, latest])


def _label(outcomes: Sequence[OutcomeRecord]) -> bool | None:
    if not outcomes:
        return None
    return sum(_SIGN.get(outcome.type, 0) * outcome.quantity for outcome in outcomes) > 0
