"""Naive pipeline: the models called through transformers and sentence-transformers, plain objects for each candidate.

Prices in process, without HTTP, record or signature. Each quote reads the shopper's events, encodes the shopper's
behaviour and the product's category, searches flat FAISS indexes, has `generate` write strategies by beam search, and
runs the evaluator once a candidate; nothing is kept between quotes but the products' vectors. The strategist's numeric
head and online learning are left out, which makes it faster. A page is one quote after another, as written first.

    python -m eval.bench.naive --data-dir FOLDER --asked FILE --seconds 30
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from agent.domain.clock import StoreClock, SystemClock
from agent.domain.records import EventRecord, ProductRecord
from agent.pricing.model_proposer import prompt_text
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.state.cached_encoder import CachedEncoder
from agent.state.catalogue import Catalogue
from agent.state.loading import load_active_evaluator, open_outcome_memory, open_product_index
from agent.store.data_folder import DataFolder
from eval.bench.figures import Load, row_figures
from models.encoder.base import BASE, MINILM_L6, base_folder
from models.encoder.export import load_base, merge_delta, silence_libraries
from models.evaluator.evaluator import Evaluator, EvaluatorInputs, Represented
from models.evaluator.evidence import Neighbours, evidence_matrix, item_states
from models.evaluator.monotone import sigmoid
from models.registry.registry import ModelKind, Registry, read_meta
from models.shopper.features import PAIR_FEATURES, SHOPPER_PRODUCT, Subject, feature_row
from models.shopper.history import Act, ShopperHistory, recent_items
from models.shopper.interest import conditional_state, load_interest
from models.shopper.item_affinity import load_taste
from models.shopper.texts import behaviour_text, category_text
from models.strategist.facts import RESPONSE_MOVES, StrategistFacts
from models.strategist.strategist import SMOLLM2_SHAPE
from models.strategist.strategy import ALLOWED_MOVES, MOVES, AnchorPrices, Strategy, realise
from models.strategist.tokens import (
    ANCHOR_AT,
    ANCHORS,
    LEVER_AT,
    LEVERS,
    MOVE_AT,
    ROUNDING_AT,
    ROUNDINGS,
    VOCABULARY,
)
from prompts import load_prompt

_BEAMS: Final = 8
_SIMILAR: Final = 5
_PAST: Final = 32
_SEARCHED: Final = tuple(range(-30, 0, 5))
_WEIGHTS: Final = (0.8, 0.1, 0.1)  # profit, purchase, satisfaction


class SentenceEncoder:
    """The fine-tuned encoder as a SentenceTransformer."""

    def __init__(self, registry: Registry) -> None:
        """Load the base weights and merge the active delta into them."""
        self.version = registry.active(ModelKind.ENCODER)
        folder = registry.folder(ModelKind.ENCODER, self.version)
        base = str(read_meta(folder).config.get(BASE, MINILM_L6))
        with silence_libraries(), base_folder(base) as source:
            self._model = load_base(source)
            merge_delta(self._model, folder / "adapter.safetensors")

    @property
    def dim(self) -> int:
        """Dimensions of a state."""
        return int(self._model.get_embedding_dimension() or 0)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors `(n, dim)`."""
        vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)

    encode_each = encode


class BeamStrategist:
    """The strategist as a transformers model, its strategy tokens added to the vocabulary."""

    def __init__(self, folder: Path) -> None:
        """Load merged weights in the precision that they are stored in."""
        tensors = load_file(str(folder / "strategist.safetensors"))
        embedding, head = tensors.pop("strategy.embedding"), tensors.pop("strategy.head")
        base = tensors["embed_tokens.weight"]
        self._first = len(base)
        tensors["embed_tokens.weight"] = torch.cat([base, embedding])
        shape = SMOLLM2_SHAPE
        config = LlamaConfig(
            vocab_size=self._first + VOCABULARY,
            hidden_size=shape.width,
            num_hidden_layers=1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("layers.")),
            num_attention_heads=shape.n_heads,
            num_key_value_heads=shape.n_kv_heads,
            intermediate_size=shape.intermediate,
            rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
            rms_norm_eps=shape.norm_eps,
            tie_word_embeddings=False,
        )
        model: Any = LlamaForCausalLM(config)
        self._model = model.to(torch.bfloat16).eval()
        named = {f"model.{name}": tensor for name, tensor in tensors.items()}
        self._model.load_state_dict({**named, "lm_head.weight": torch.cat([torch.zeros_like(base), head])})
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def propose(self, prompt: str, facts: StrategistFacts) -> list[Strategy]:
        """Strategies of the best beams."""
        ids = torch.tensor([self._tokenizer.encode(prompt).ids])
        start, length = self._first, ids.shape[1]

        def allowed(_row: int, so_far: torch.Tensor) -> list[int]:
            written = [int(token) - start for token in so_far[length:]]
            if not written:
                return [start + LEVER_AT + LEVERS.index(lever) for lever in facts.levers()]
            lever = LEVERS[written[0] - LEVER_AT]
            if len(written) == 1:
                return [start + ANCHOR_AT + ANCHORS.index(anchor) for anchor in facts.anchors()]
            if len(written) == 2:
                return [start + MOVE_AT + at for at, move in enumerate(MOVES) if move in ALLOWED_MOVES[lever]]
            return [start + ROUNDING_AT + at for at in range(len(ROUNDINGS))]

        with torch.inference_mode():
            beams = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=4,
                num_beams=_BEAMS,
                num_return_sequences=_BEAMS,
                do_sample=False,
                prefix_allowed_tokens_fn=allowed,
                pad_token_id=0,
            )
        return [self._read([int(token) - start for token in beam[length:]]) for beam in beams]

    def _read(self, tokens: Sequence[int]) -> Strategy:
        lever, anchor = LEVERS[tokens[0] - LEVER_AT], ANCHORS[tokens[1] - ANCHOR_AT]
        return Strategy(lever, anchor, MOVES[tokens[2] - MOVE_AT], ROUNDINGS[tokens[3] - ROUNDING_AT])


@dataclass
class Candidate:
    """One candidate with its scores."""

    price_minor: int
    name: str
    purchase: float = 0.0
    profit: float = 0.0
    satisfaction: float = 0.0
    purchase_interval: tuple[float, float] = (0.0, 1.0)


class NaivePricer:
    """Prices one shopper and product at a time."""

    def __init__(self, data_dir: Path) -> None:
        """Load models, products and their vectors."""
        settings, folder = Settings(data_dir=data_dir), DataFolder(data_dir)
        registry = Registry(folder.models)
        self._store = open_store(settings)
        self._clock = StoreClock.from_meta(self._store.meta)
        self._encoder = SentenceEncoder(registry)
        self._evaluator: Evaluator = load_active_evaluator(registry)
        version = registry.active(ModelKind.STRATEGIST)
        self._strategist = BeamStrategist(registry.folder(ModelKind.STRATEGIST, version))
        self._prompt = load_prompt("strategist", settings.prompt_version)
        heads = registry.folder(ModelKind.ENCODER, self._encoder.version)
        self._interest, self._taste = (
            load_interest(heads / "interest.safetensors"),
            load_taste(heads / "taste.safetensors"),
        )
        index = open_product_index(folder, self._encoder.version, self._encoder.dim)
        self._catalogue = Catalogue(self._store, CachedEncoder(self._encoder), index)
        self._ids = [one for one in self._catalogue.ids() if one in index]
        self._vectors = np.stack([vector for vector in index.vectors(self._ids) if vector is not None])
        self._row = {product_id: row for row, product_id in enumerate(self._ids)}
        self._flat = faiss.IndexFlatIP(self._vectors.shape[1])
        self._flat.add(self._vectors)
        self._outcomes = open_outcome_memory(folder, self._evaluator.version, self._store)

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def price(self, shopper_id: str, product_id: str) -> dict[str, Any]:
        """The best candidate, with all others and what was retrieved."""
        at_s = self._clock.behaviour_time(SystemClock().now()).timestamp()
        product = self._catalogue.product(product_id)
        if product is None:
            raise SystemExit(f"no product {product_id}")
        history = self._history(shopper_id)
        reference = max(1, round(self._catalogue.reference_minor(product, at_s)))
        vector = self._vectors[self._row[product_id]]
        similar = [self._ids[row] for row in self._flat.search(vector[None], _SIMILAR + 1)[1][0] if row >= 0]
        situation = self._represent(history, product, reference, vector, at_s)
        facts = self._facts(situation, history, product, reference, at_s)
        anchors = AnchorPrices(reference, product.list_minor or reference)
        candidates = [Candidate(reference, "reference")]
        for strategy in self._strategist.propose(prompt_text(self._prompt, facts), facts):
            price = realise(strategy, anchors, 2)
            if price is not None:
                candidates.append(Candidate(price, strategy.name))
        candidates += [Candidate(round(reference * (1 + move / 100)), f"{move} %") for move in _SEARCHED]
        floor = max(product.cost_minor or 0, round(0.7 * reference))
        for candidate in candidates:
            candidate.price_minor = min(reference, max(floor, candidate.price_minor))
            self._score(candidate, situation, reference, product.cost_minor or 0)
        best = max(candidates, key=lambda one: _utility(one, reference))
        return {"price": best, "candidates": [asdict(one) for one in candidates], "similar": similar[1:]}

    def _history(self, shopper_id: str) -> ShopperHistory:
        history = ShopperHistory()
        for event in self._store.shopper_events(shopper_id):
            history.observe(self._act(event))
        return history

    def _act(self, event: EventRecord) -> Act:
        product = self._catalogue.product(event.product_id or "")
        ratio = event.price_minor / event.list_minor if event.price_minor and event.list_minor else 1.0
        category, brand = (product.category, product.brand) if product else ("", "")
        return Act(
            str(event.type), event.at.timestamp(), event.product_id or "", category, brand, ratio, text=event.text
        )

    def _represent(
        self, history: ShopperHistory, product: ProductRecord, reference: int, vector: NDArray[np.float32], at_s: float
    ) -> Represented:
        text = behaviour_text(history, self._catalogue.title, at_s)
        shopper, category = self._encoder.encode([text]), self._encoder.encode([category_text(product.category)])
        subject = Subject(product.product_id, product.category, product.brand, float(reference))
        features = np.asarray([feature_row(history, subject, self._catalogue.weeks, at_s)], np.float32)
        pair = features[:, len(SHOPPER_PRODUCT) : len(SHOPPER_PRODUCT) + len(PAIR_FEATURES)]
        buyer = self._taste.buyer(history.products)
        items = item_states([recent_items(history, at_s)], self._states)
        keys = self._evaluator.memory_keys(items, vector[None])
        found = self._outcomes.alike(keys, _PAST, [int(at_s * 1e6)])
        past = Neighbours(found.bought, found.weight, found.similarity, found.price_ratio, found.count)
        nothing = np.zeros(1, np.float32)
        return self._evaluator.represent(
            EvaluatorInputs(
                features=features,
                evidence=evidence_matrix(past, self._evaluator.base_rate),
                interest=self._interest.logits(conditional_state(shopper, category, pair)),
                affinity=self._taste.affinity([buyer], [product.product_id], vector[None]),
                shopper=shopper,
                product=vector[None],
                familiarity=nothing + 1,
                intent=nothing,
                trend=nothing,
                rival_log_ratio=nothing * np.nan,
            )
        )

    def _states(self, product_ids: Sequence[str]) -> NDArray[np.float32]:
        nothing = np.zeros(self._vectors.shape[1], np.float32)
        rows = [self._row.get(product_id) for product_id in product_ids]
        return np.stack([nothing if row is None else self._vectors[row] for row in rows]) if rows else nothing[None][:0]

    def _facts(
        self, situation: Represented, history: ShopperHistory, product: ProductRecord, reference: int, at_s: float
    ) -> StrategistFacts:
        at_reference = self._evaluator.expect(situation, np.zeros((1, 1))).purchase[0, 0]
        lifts = [
            float(self._evaluator.expect(situation, np.asarray([[np.log1p(move / 100)]])).purchase[0, 0] / at_reference)
            for move in RESPONSE_MOVES
        ]
        return StrategistFacts(
            category=product.category,
            interest=float(sigmoid(situation.inputs.interest.astype(np.float64))[0]),
            lifts=(lifts[0], lifts[1], lifts[2]),
            may_rise=False,
            cost_ratio=product.cost_minor / reference if product.cost_minor else None,
            list_ratio=product.list_minor / reference if product.list_minor else None,
            loyalty=history.loyalty(product.category, at_s),
        )

    def _score(self, candidate: Candidate, situation: Represented, reference: int, cost: int) -> None:
        ratio = np.asarray([[np.log(candidate.price_minor / reference)]])
        response = self._evaluator.respond(situation, ratio)
        low, high = np.quantile(response.purchase_draws[0, 0], [0.05, 0.95]).tolist()
        candidate.purchase, candidate.purchase_interval = float(response.purchase[0, 0]), (low, high)
        candidate.satisfaction = float(response.satisfaction[0, 0])
        candidate.profit = (candidate.price_minor - cost) * candidate.purchase


def _utility(candidate: Candidate, reference: int) -> float:
    profit, purchase, satisfaction = _WEIGHTS
    return profit * candidate.profit / reference + purchase * candidate.purchase + satisfaction * candidate.satisfaction


def main() -> None:
    """Price what a file asks for, for each of its rows at most some seconds, and print their figures as JSON.

    The file is JSON: for each row the quotes of each of its requests, pairs of shopper and product.
    """
    parser = argparse.ArgumentParser(prog="python -m eval.bench.naive", description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--asked", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    transformers_logging.set_verbosity(logging.ERROR)
    pricer = NaivePricer(options.data_dir)
    figures = {}
    for name, requests in json.loads(options.asked.read_text("utf-8")).items():
        pricer.price(*requests[0][0])
        latencies: list[float] = []
        until = time.perf_counter() + options.seconds
        for pairs in requests[1:]:
            began = time.perf_counter()
            for shopper, product in pairs:
                pricer.price(shopper, product)
            latencies.append(1e6 * (time.perf_counter() - began))
            if time.perf_counter() > until:
                break
        figures[name] = asdict(row_figures(Load(latencies, 0, sum(latencies) / 1e6), 1, len(requests[0])))
    pricer.close()
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
