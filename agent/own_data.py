"""A merchant's own outcomes as training rows: the pipeline's own steps at each outcome's moment, in bounded memory.

Rows are observed shopper by shopper, so that each past is folded once, and written to memory-mapped arrays. Encoding
texts is what costs on a CPU: at most `TEXTS` shopper texts are encoded, the rows of further shoppers train as
strangers do (their counts and habits still count). Evidence is gathered in a second walk, in time order, from the
outcomes before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.api.schemas import QuoteRequest
from agent.observation import Observation
from agent.observe import Observer
from agent.records import OutcomeType
from agent.refusal import Refusal
from agent.store import Store
from agent.training import MemoryNeighbours
from models.errors import TrainingDataError
from models.evaluator import EVIDENCE, KEY_DIM, NUMERIC, Situations, item_states, memory_keys
from models.features import FEATURES
from models.history import RecentItems, ShopperHistory
from models.texts import behaviour_text
from models.training.evaluator import EvaluatorData
from models.training.own_checks import Offers

TEXTS: Final = 20_000
_BATCH: Final = 8_192
_BLOCKS: Final = 40
_BACK_S: Final = 8 * 7 * 86_400.0
_STRANGER: Final = behaviour_text(ShopperHistory(), lambda _: "", 0.0)

Progress = Callable[[str, float], None]
ItemsOf = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class OwnOutcomes:
    """Outcomes as columns, `(n,)` each; shoppers and products are numbered, -1 is nobody."""

    shoppers: list[str]
    products: list[str]
    currencies: list[str]
    currency: NDArray[np.int64]
    shopper: NDArray[np.int64]
    product: NDArray[np.int64]
    at_s: NDArray[np.float64]
    price_minor: NDArray[np.int64]
    reference_minor: NDArray[np.int64]
    bought: NDArray[np.float32]
    weight: NDArray[np.float32]
    with_propensity: int

    def __len__(self) -> int:
        """How many."""
        return len(self.bought)

    @property
    def offers(self) -> Offers:
        """What the checks read."""
        ratio = np.log(self.price_minor / self.reference_minor).astype(np.float32)
        return Offers(self.product, self.at_s, ratio, self.bought)


def read_outcomes(store: Store, progress: Progress) -> OwnOutcomes:
    """All offers whose fate is known; a purchase that was returned counts as one: what was kept is another question."""
    shoppers: dict[str, int] = {}
    products: dict[str, int] = {}
    currencies: dict[str, int] = {}
    columns: list[tuple[int, int, int, float, int, int, float, float]] = []
    last: dict[str, int] = {}  # rows of quotes: a later purchase replaces the decline
    priced = 0
    for number, outcome in store.outcomes_since(0):
        if outcome.type is OutcomeType.RETURNED or outcome.product_id is None or not outcome.reference_minor:
            continue
        bought = float(outcome.type is OutcomeType.PURCHASED)
        if outcome.quote_id is not None and outcome.quote_id in last:
            row = last[outcome.quote_id]
            columns[row] = (*columns[row][:6], max(bought, columns[row][6]), columns[row][7])
            continue
        if outcome.quote_id is not None:
            last[outcome.quote_id] = len(columns)
        columns.append(
            (
                shoppers.setdefault(outcome.shopper_id, len(shoppers)) if outcome.shopper_id is not None else -1,
                products.setdefault(outcome.product_id, len(products)),
                currencies.setdefault(outcome.currency, len(currencies)),
                outcome.at.timestamp(),
                outcome.price_minor,
                outcome.reference_minor,
                bought,
                outcome.weight,
            )
        )
        priced += outcome.propensity is not None
        if number % 100_000 == 0:
            progress("read outcomes", 0.5)
    progress("read outcomes", 1.0)
    table = np.asarray(columns, np.float64).reshape(-1, 8)
    product = table[:, 1].astype(np.int64)
    return OwnOutcomes(
        shoppers=list(shoppers),
        products=list(products),
        currencies=list(currencies),
        currency=table[:, 2].astype(np.int64),
        shopper=table[:, 0].astype(np.int64),
        product=product,
        at_s=table[:, 3],
        price_minor=table[:, 4].astype(np.int64),
        reference_minor=table[:, 5].astype(np.int64),
        bought=table[:, 6].astype(np.float32),
        weight=table[:, 7].astype(np.float32),
        with_propensity=priced,
    )


@dataclass(frozen=True, slots=True)
class Walker:
    """What makes rows of outcomes."""

    observer: Observer
    items_of: ItemsOf
    projection: NDArray[np.float64]

    def rows(self, own: OwnOutcomes, work: Path, progress: Progress) -> EvaluatorData:
        """Training rows in the outcomes' order; `work` takes the large arrays."""
        n = len(own)
        numeric = np.lib.format.open_memmap(work / "numeric.npy", "w+", np.float32, (n, NUMERIC))
        keys = np.lib.format.open_memmap(work / "keys.npy", "w+", np.float32, (n, 2 * KEY_DIM))
        states = _States(self.observer.encode_texts([_STRANGER])[0])
        shopper_row = np.zeros(n, np.int64)
        product_states = np.zeros((len(own.products), len(states.stranger)), np.float32)
        order = np.lexsort((own.at_s, own.shopper))
        for start in range(0, n, _BATCH):
            part = order[start : start + _BATCH]
            seen = self._observe(own, part, states)
            encoded = self.observer.encode(seen)
            shopper_row[part] = states.rows([o.past.text for o in seen], encoded.shopper)
            product_states[own.product[part]] = encoded.product
            ends = np.stack([encoded.interest_logit, encoded.affinity], axis=1)
            numeric[part] = np.concatenate([encoded.features, np.zeros((len(part), len(EVIDENCE))), ends], axis=1)
            recents: list[RecentItems] = [o.past.recent for o in seen]
            keys[part] = memory_keys(item_states(recents, self.items_of), encoded.product, self.projection)
            progress("observe outcomes", (start + len(part)) / n)
        self._evidence(own, numeric, keys, progress)
        return _data(own, numeric, shopper_row, states, product_states)

    def _observe(self, own: OwnOutcomes, part: NDArray[np.int64], states: "_States") -> list[Observation]:
        requests = [_request(own, row) for row in part.tolist()]
        found = []
        for one in self.observer.observe(requests, _moment(float(own.at_s[part].max())), to_price=False):
            if isinstance(one, Refusal):
                raise TrainingDataError(f"an outcome cannot be observed: {one.detail}; remedy: import products first")
            keep = states.take(one.past.text)
            found.append(one if keep else replace(one, past=replace(one.past, text=_STRANGER)))
        return found

    def _evidence(
        self, own: OwnOutcomes, numeric: NDArray[np.float32], keys: NDArray[np.float32], progress: Progress
    ) -> None:
        """Each row's evidence from the outcomes of earlier blocks of time."""
        rate = float(np.average(own.bought, weights=own.weight))
        memory = MemoryNeighbours(keys.shape[1], rate)
        ratio = (own.price_minor / own.reference_minor).astype(np.float32)
        order = np.argsort(own.at_s, kind="stable")
        place = slice(len(FEATURES), len(FEATURES) + len(EVIDENCE))
        for number, block in enumerate(_blocks(order, own.at_s)):
            if number:
                numeric[block, place] = memory.evidence(np.asarray(keys[block]))
            memory.add(np.asarray(keys[block]), own.bought[block], own.weight[block], ratio[block])
            progress("gather evidence", (number + 1) / _BLOCKS)


class _States:
    """Distinct shopper texts and their states, the stranger's first; at most `TEXTS` of them."""

    def __init__(self, stranger: NDArray[np.float32]) -> None:
        self.stranger = stranger
        self._row: dict[str, int] = {_STRANGER: 0}
        self._states = [stranger]

    def take(self, text: str) -> bool:
        """Whether a text is encoded; the first ones are."""
        if text not in self._row and len(self._row) < TEXTS:
            self._row[text] = len(self._row)
        return text in self._row

    def rows(self, texts: Sequence[str], states: NDArray[np.float32]) -> list[int]:
        """Rows of texts; states of new ones are kept."""
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


def situations_of(data: EvaluatorData, rows: NDArray[np.int64]) -> Situations:
    """Rows as the evaluator reads them."""
    numeric = np.asarray(data.numeric[rows])
    ends = len(FEATURES) + len(EVIDENCE)
    zeros = np.zeros(len(rows), np.float32)
    return Situations(
        features=numeric[:, : len(FEATURES)],
        evidence=numeric[:, len(FEATURES) : ends],
        interest=numeric[:, ends],
        affinity=numeric[:, ends + 1],
        shopper=data.shopper_states[data.shopper_row[rows]],
        product=data.product_states[data.product_row[rows]],
        familiarity=zeros + 1,
        intent=zeros,
        trend=zeros,
        rival_log_ratio=zeros * np.nan,
    )


def _data(
    own: OwnOutcomes,
    numeric: NDArray[np.float32],
    shopper_row: NDArray[np.int64],
    states: _States,
    product_states: NDArray[np.float32],
) -> EvaluatorData:
    sold = own.bought > 0
    kept = float(own.weight[sold].mean() / own.weight[~sold].mean())  # share of the declined offers that are in the log
    nobody = own.shopper < 0
    return EvaluatorData(
        numeric=numeric,
        shopper_row=shopper_row,
        product_row=own.product,
        shopper_states=states.matrix,
        product_states=product_states,
        stranger=states.stranger,
        log_ratio=np.log(own.price_minor / own.reference_minor).astype(np.float32),
        rate=np.full(len(own), kept, np.float32),
        bought=own.bought,
        weight=own.weight,
        returned=_came_back(own),
        cluster=np.where(nobody, -1 - np.arange(len(own)), own.shopper),
    )


def _came_back(own: OwnOutcomes) -> NDArray[np.float32]:
    """1 when the shopper buys again within eight weeks, 0 when not, nan when unknown or not yet over."""
    back = np.full(len(own), np.nan, np.float32)
    order = np.lexsort((own.at_s, own.shopper))
    next_s = np.full(len(own), np.inf)
    upcoming, owner = np.inf, -2
    for row in order[::-1].tolist():
        if own.shopper[row] != owner:
            upcoming, owner = np.inf, int(own.shopper[row])
        next_s[row] = upcoming
        if own.bought[row] > 0:
            upcoming = float(own.at_s[row])
    over = own.at_s + _BACK_S <= own.at_s.max()
    soon = next_s - own.at_s <= _BACK_S
    known = (own.shopper >= 0) & (over | soon)
    back[known] = soon[known]
    return back


def _blocks(order: NDArray[np.int64], at_s: NDArray[np.float64]) -> Iterator[NDArray[np.int64]]:
    """Consecutive blocks of time, no moment in two of them."""
    edges = np.unique(np.quantile(at_s, np.linspace(0, 1, _BLOCKS + 1)[1:-1]))
    yield from (block for block in np.split(order, np.searchsorted(at_s[order], edges, side="right")) if len(block))


def _request(own: OwnOutcomes, row: int) -> QuoteRequest:
    currency = own.currencies[own.currency[row]]
    shopper = own.shoppers[own.shopper[row]] if own.shopper[row] >= 0 else None
    return QuoteRequest.model_validate(
        {
            "shopper": {"id": shopper},
            "product": {
                "id": own.products[own.product[row]],
                "list_price": {"amount_minor": int(own.reference_minor[row]), "currency": currency},
            },
            "context": {"at": _moment(float(own.at_s[row])).isoformat()},
        }
    )


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
