"""Training rows from a store's own outcomes: the pipeline's features as of each outcome, in bounded memory.

Rows are read shopper by shopper, so that each past is folded once, and written to memory-mapped arrays. Encoding texts
takes most of the time: at most `TEXTS` shopper texts are encoded, and rows of further shoppers use the text of an
unknown one (their other features are their own). Evidence is added in a second pass in time order, from earlier
outcomes.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest, nested_promotion
from agent.pricing.situation import Situation
from agent.pricing.situation_reader import SituationReader
from agent.store import Store
from agent.store.outcomes import OfferSituation
from agent.training.demo import MemoryNeighbours
from agent.training.own_outcomes import OwnOutcomes
from models.errors import TrainingDataError
from models.evaluator.evaluator import INTEREST, NUMERIC, Evaluator, EvaluatorInputs
from models.evaluator.evidence import EVIDENCE, KEY_DIM, item_states, memory_keys
from models.progress import Progress
from models.shopper.features import FEATURES
from models.shopper.history import RecentItems
from models.shopper.texts import STRANGER
from models.training.evaluator import EvaluatorData
from models.training.own_effects import shift_of, tried_ranges
from models.training.own_rows import EffectBuilder, OwnRows

TEXTS: Final = 10_000
_BATCH: Final = 4_096
_BLOCKS: Final = 40
_NO_SITUATION: Final = OfferSituation({}, {})
ItemsOf = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class OwnRowReader:
    """Makes training rows of outcomes.

    Attributes:
        items_of: Encoder states `(n, 384)` of products by id.
        projection: Projection of encoder states to retrieval keys.
    """

    store: Store
    reader: SituationReader
    items_of: ItemsOf
    projection: NDArray[np.float64]

    def rows(self, own: OwnOutcomes, work: Path, progress: Progress) -> OwnRows:
        """Training rows in the order of the outcomes; large arrays are files in the folder `work`."""
        n = len(own)
        numeric = np.lib.format.open_memmap(work / "numeric.npy", "w+", np.float32, (n, NUMERIC))
        keys = np.lib.format.open_memmap(work / "keys.npy", "w+", np.float32, (n, 2 * KEY_DIM))
        states = _States(self.reader.encode_texts([STRANGER])[0])
        shopper_row = np.zeros(n, np.int64)
        product_states = np.zeros((len(own.products), len(states.stranger)), np.float32)
        effects, rival = EffectBuilder(n), np.full(n, np.nan, np.float32)
        intent, trend, alone = (np.zeros(n, np.float32) for _ in range(3))
        order = np.lexsort((own.at_s, own.shopper))
        for start in range(0, n, _BATCH):
            part = order[start : start + _BATCH]
            seen = self._observe(own, part, states)
            effects.add(part.tolist(), [o.terms for o in seen])
            rival[part] = [_rival(o) for o in seen]
            intent[part] = [o.intent for o in seen]
            trend[part] = np.clip([o.market.trend for o in seen], -1.0, 1.0)
            encoded = self.reader.encode(seen)
            shopper_row[part] = states.rows([o.past.text for o in seen], encoded.shopper)
            product_states[own.product[part]] = encoded.product
            category = self.reader.catalogue.category_states([o.subject.category for o in seen])
            unknown = np.broadcast_to(states.stranger, category.shape)
            alone[part] = self.reader.interest.of_features(unknown, category, encoded.features)
            ends = np.stack([encoded.interest_logit, encoded.affinity], axis=1)
            numeric[part] = np.concatenate([encoded.features, np.zeros((len(part), len(EVIDENCE))), ends], axis=1)
            recents: list[RecentItems] = [o.past.recent for o in seen]
            keys[part] = memory_keys(item_states(recents, self.items_of), encoded.product, self.projection)
            progress("observe outcomes", (start + len(part)) / n)
        self._evidence(own, numeric, keys, progress)
        data = _data(own, numeric, shopper_row, states, product_states)
        columns = effects.columns()
        return OwnRows(data, columns, own.at_s, rival, intent=intent, trend=trend, interest_alone=alone).with_text()

    def _observe(self, own: OwnOutcomes, part: NDArray[np.int64], states: "_States") -> list[Situation]:
        requests = _requests(self.store, own, part)
        found = []
        for one in self.reader.read(requests, _moment(float(own.at_s[part].max()))):
            if isinstance(one, Refusal):
                raise TrainingDataError(
                    f"an outcome has no usable situation: {one.detail}; remedy: import products first"
                )
            seen = one.situation
            keep = states.take(seen.past.text)
            found.append(seen if keep else replace(seen, past=replace(seen.past, text=STRANGER)))
        return found

    def _evidence(
        self, own: OwnOutcomes, numeric: NDArray[np.float32], keys: NDArray[np.float32], progress: Progress
    ) -> None:
        """Fill in each row's evidence, from the outcomes of earlier blocks of time."""
        rate = float(np.average(own.bought, weights=own.weight))
        memory = MemoryNeighbours(keys.shape[1], rate)
        ratio = (own.price_minor / own.reference_minor).astype(np.float32)
        order = np.argsort(own.at_s, kind="stable")
        place = slice(len(FEATURES), INTEREST)
        for number, block in enumerate(_blocks(order, own.at_s)):
            if number:
                numeric[block, place] = memory.evidence(np.asarray(keys[block]))
            memory.add(np.asarray(keys[block]), own.bought[block], own.weight[block], ratio[block])
            progress("gather evidence", (number + 1) / _BLOCKS)


class _States:
    """At most `TEXTS` distinct shopper texts and their encoder states; the first is an unknown shopper's."""

    def __init__(self, stranger: NDArray[np.float32]) -> None:
        self.stranger = stranger
        self._row: dict[str, int] = {STRANGER: 0}
        self._states = [stranger]

    def take(self, text: str) -> bool:
        """Add a text if there is room; returns whether it is among the encoded ones."""
        if text not in self._row and len(self._row) < TEXTS:
            self._row[text] = len(self._row)
        return text in self._row

    def rows(self, texts: Sequence[str], states: NDArray[np.float32]) -> list[int]:
        """Rows of texts in `matrix`; `states` `(n, 384)` of new texts are kept."""
        found = []
        for text, state in zip(texts, states, strict=True):
            row = self._row[text]
            while len(self._states) <= row:
                self._states.append(np.zeros_like(self.stranger))
            self._states[row] = state
            found.append(row)
        return found

    @property
    def matrix(self) -> NDArray[np.float32]:
        """All states `(n, 384)`."""
        return np.stack(self._states)


def _rival(situation: Situation) -> float:
    minor = situation.market.rival_minor
    return math.log(minor / situation.reference_minor) if minor else math.nan


def situations_of(own: OwnRows, rows: NDArray[np.int64], evaluator: Evaluator) -> EvaluatorInputs:
    """Training rows as input of an evaluator that was trained on them."""
    effects, tried = evaluator.weights.effects, evaluator.weights.tried
    data = own.data
    numeric = np.asarray(data.numeric[rows])
    intent, trend = own.signals[rows].astype(np.float32).T
    return EvaluatorInputs(
        features=numeric[:, : len(FEATURES)],
        evidence=numeric[:, len(FEATURES) : INTEREST],
        interest=numeric[:, INTEREST],
        affinity=numeric[:, INTEREST + 1],
        shopper=data.shopper_states[data.shopper_row[rows]],
        product=data.product_states[data.product_row[rows]],
        familiarity=np.ones(len(rows), np.float32),
        intent=intent,
        trend=trend,
        rival_log_ratio=own.rival[rows],
        shift=None if effects is None else shift_of(effects, own.effects, rows),
        tried=None if tried is None else tried_ranges(tried, own.effects, rows),
    )


def _data(
    own: OwnOutcomes,
    numeric: NDArray[np.float32],
    shopper_row: NDArray[np.int64],
    states: _States,
    product_states: NDArray[np.float32],
) -> EvaluatorData:
    nobody = own.shopper < 0
    return EvaluatorData(
        numeric=numeric,
        shopper_row=shopper_row,
        product_row=own.product,
        shopper_states=states.matrix,
        product_states=product_states,
        stranger=states.stranger,
        log_ratio=np.log(own.price_minor / own.reference_minor).astype(np.float32),
        rate=np.ones(len(own), np.float32),  # weights already undo the sampling
        bought=own.bought,
        weight=own.weight,
        returned=np.full(len(own), np.nan, np.float32),  # satisfaction is learned from reports of sales
        cluster=np.where(nobody, -1 - np.arange(len(own)), own.shopper),
    )


def _blocks(order: NDArray[np.int64], at_s: NDArray[np.float64]) -> Iterator[NDArray[np.int64]]:
    """Yield consecutive blocks of time; rows of one moment are in the same block."""
    edges = np.unique(np.quantile(at_s, np.linspace(0, 1, _BLOCKS + 1)[1:-1]))
    yield from (block for block in np.split(order, np.searchsorted(at_s[order], edges, side="right")) if len(block))


def _requests(store: Store, own: OwnOutcomes, part: NDArray[np.int64]) -> list[QuoteRequest]:
    """The request behind each outcome: of its quote, or from the profile and context of an import."""
    situations = store.situations_of(own.seq[part].tolist())
    return [_request(store, own, row, situations.get(int(own.seq[row]), _NO_SITUATION)) for row in part.tolist()]


def _request(store: Store, own: OwnOutcomes, row: int, situation: OfferSituation) -> QuoteRequest:
    currency = own.currencies[own.currency[row]]
    list_price = {"amount_minor": int(own.reference_minor[row]), "currency": currency}
    at = _moment(float(own.at_s[row])).isoformat()
    product: dict[str, Any] = {"id": own.products[own.product[row]], "list_price": list_price}
    shopper: dict[str, Any] = {"id": own.shoppers[own.shopper[row]] if own.shopper[row] >= 0 else None}
    context: dict[str, Any] = nested_promotion(situation.context)
    if situation.profile:
        shopper["profile"] = dict(situation.profile)
    if (rival := context.pop("competitor_prices", None)) is not None:
        context["competitor_prices"] = [{"amount_minor": int(rival), "currency": currency}]
    if "inventory" in context:
        context["inventory"] = int(context["inventory"])
    quote = own.quotes.get(int(own.seq[row]))
    asked = store.request_of(quote) if quote is not None else None
    if asked is not None:
        product |= {name: value for name, value in _mapping(asked, "product").items() if name not in product}
        shopper |= {"profile": _mapping(asked, "shopper").get("profile")}
        context = dict(_mapping(asked, "context"))
    return QuoteRequest.model_validate({"shopper": shopper, "product": product, "context": {**context, "at": at}})


def _mapping(request: Mapping[str, JsonValue], name: str) -> Mapping[str, JsonValue]:
    value = request.get(name)
    return value if isinstance(value, dict) else {}


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
