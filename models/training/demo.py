"""Training on the demo data, from nothing to three versions: encoder (with interest head), evaluator, strategist.

Weeks up to 40 train, 41-44 validate, later weeks are never read. The outcome memory and the prompt belong to other
packages and come in as arguments.
"""

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.base_weights import JOURNEY_TRANSACTIONS, MINILM, SMOLLM2
from models.encoder import Encoder, OpenVinoEncoder, Vectors
from models.evaluator import EVIDENCE, Evaluator, Situations, item_states, load_evaluator, memory_keys, save_evaluator
from models.features import FEATURES, PAIR_FEATURES, SHOPPER_PRODUCT
from models.gguf_weights import write_tokenizer
from models.history import ShopperHistory
from models.interest import InterestHead, conditional_state, load_interest, save_interest
from models.journey import Journey, read_journey
from models.registry import Kind, ModelMeta, Registry
from models.strategist import Strategist, load_strategist
from models.texts import behaviour_text, category_text, product_text
from models.training.cards import card
from models.training.encoder import EncoderTrainingConfig, contrastive_pairs, train_encoder_delta
from models.training.evaluator import (
    EvaluatorData,
    EvaluatorTrainingConfig,
    OutcomeNeighbours,
    fit,
    key_projection,
    posterior,
    to_weights,
)
from models.training.interest import InterestData, InterestRows, train_interest
from models.training.metrics import evaluator_metrics, interest_metrics, strategist_metrics
from models.training.panel import Panel, PanelBuilder, PanelConfig
from models.training.situations import RowFacts, Situation, invent
from models.training.strategist import StrategistTrainingConfig, save_delta, train_strategist
from models.value import Weights
from models.versions import CARD, install_deltas

Progress = Callable[[str, float], None]
Render = Callable[[Situation], str]
NewMemory = Callable[[int, float], OutcomeNeighbours]

TRAIN_END: Final = 40
_MEMORY_BLOCK_WEEKS: Final = 2


@dataclass(frozen=True, slots=True)
class DemoPanel:
    """The panel with what its rows refer to."""

    journey: Journey
    panel: Panel
    products: list[int]
    product_texts: dict[int, str]
    product_category: dict[int, str]
    categories: list[str]
    interest: InterestRows
    interest_labels: NDArray[np.float32]


def read_panel(config: PanelConfig, progress: Progress) -> DemoPanel:
    """Build the panel and the interest rows in one walk."""
    journey = read_journey()
    categories = sorted(journey.products["category"].unique())
    interest = InterestRows(categories)
    builder = PanelBuilder(journey, config, interest.observe)
    panel = builder.build(lambda week: progress("panel", week / 52))
    rows = list(journey.products.itertuples())
    return DemoPanel(
        journey=journey,
        panel=panel,
        products=builder.products,
        product_texts={int(r.product_id): product_text(r.title, r.category, r.brand) for r in rows},
        product_category={int(r.product_id): str(r.category) for r in rows},
        categories=categories,
        interest=interest,
        interest_labels=interest.labels(builder.category_purchases),
    )


@dataclass(frozen=True, slots=True)
class States:
    """Encoder states of everything the panel refers to."""

    shopper: Vectors  # (n_states, 384), by `panel.state`
    product: Vectors  # (n_products, 384), by `product_row`
    category: Vectors  # (n_categories, 384)
    items: Vectors  # (n_states, 384)
    stranger: Vectors  # (384,)
    product_row: NDArray[np.int64]  # (n_rows,)
    category_row: NDArray[np.int64]  # (n_rows,)


def encode_states(demo: DemoPanel, encoder: Encoder, progress: Progress) -> States:
    """Encode products, categories and shopper states."""
    product = encoder.encode([demo.product_texts[p] for p in demo.products])
    column = {p: i for i, p in enumerate(demo.products)}
    category_column = {c: i for i, c in enumerate(demo.categories)}
    texts = demo.panel.texts
    shopper = np.empty((len(texts), product.shape[1]), np.float32)
    for start in range(0, len(texts), 1024):
        shopper[start : start + 1024] = encoder.encode(texts[start : start + 1024])
        progress("encode shoppers", start / len(texts))
    names = {str(p): row for p, row in column.items()}
    return States(
        shopper=shopper,
        product=product,
        category=encoder.encode([category_text(c) for c in demo.categories]),
        items=item_states(demo.panel.recents, lambda p: product[names[p]] if p in names else None),
        stranger=encoder.encode([behaviour_text(ShopperHistory(), lambda _: "", 0.0)])[0],
        product_row=np.asarray([column[int(p)] for p in demo.panel.product]),
        category_row=np.asarray([category_column[demo.product_category[int(p)]] for p in demo.panel.product]),
    )


class DemoTraining:
    """Trains the three kinds, each into a new version of the registry."""

    def __init__(self, registry: Registry, demo: DemoPanel, progress: Progress, threads: int = 2) -> None:
        """Work on one panel; progress is told (what, share done)."""
        self._registry = registry
        self._demo = demo
        self._progress = progress
        self._threads = threads
        self._states: tuple[str, States] | None = None

    def encoder(self, version: str, config: EncoderTrainingConfig, work: Path) -> ModelMeta:
        """Fine-tune MiniLM, then the interest head on its states."""
        panel = self._demo.panel
        pairs = contrastive_pairs(panel, self._demo.product_texts, config)
        metrics = train_encoder_delta(MINILM.verified().parent, pairs, config, work)
        save_interest(InterestHead(np.zeros(384 + len(PAIR_FEATURES)), 0.0), work / "interest.safetensors")
        meta = self._meta(Kind.ENCODER, version, asdict(config), metrics, {})
        (work / CARD).write_text(card(meta), "utf-8")
        folder = install_deltas(self._registry, meta, work)
        states = encode_states(self._demo, OpenVinoEncoder(folder, version, self._threads), self._progress)
        self._states = (version, states)
        head, scores = self._interest(states)
        save_interest(head, work / "interest.safetensors")
        meta = meta.model_copy(update={"metrics": {**metrics, **scores}})
        (work / CARD).write_text(card(meta), "utf-8")
        install_deltas(self._registry, meta, work)
        return meta

    def evaluator(
        self, version: str, config: EvaluatorTrainingConfig, rates: PanelConfig, new_memory: NewMemory, work: Path
    ) -> ModelMeta:
        """Train the evaluator on the active encoder's states, evidence gathered block by block from the past."""
        encoder_version = self._registry.active(Kind.ENCODER)
        states = self._active_states()
        panel = self._demo.panel
        train = panel.week <= TRAIN_END
        base_rate = float(np.average(panel.bought[train], weights=panel.weight[train]))
        projection = key_projection(states.product)
        keys = memory_keys(states.items[panel.state], states.product[states.product_row], projection)
        evidence = self._evidence(keys, new_memory(keys.shape[1], base_rate))
        interest = self._interest_logits(states)
        numeric = np.concatenate([panel.features, evidence, interest[:, None]], axis=1).astype(np.float32)
        data = _evaluator_data(panel, states, numeric, rates)
        fit_rows = train & (panel.week >= int(panel.week.min()) + 2)  # the first block has no past to retrieve from
        fitted = _rows(data, np.flatnonzero(fit_rows))
        net = fit(
            fitted,
            config,
            lambda epoch, loss: self._progress(f"evaluator, loss {loss:.4f}", (epoch + 1) / config.epochs),
        )
        covariances = posterior(net, fitted, config)
        save_evaluator(to_weights(net, covariances, projection, base_rate), covariances, work / "evaluator.safetensors")
        trained = load_evaluator(work / "evaluator.safetensors", version)
        held_out = np.flatnonzero(~train)
        metrics = evaluator_metrics(trained, panel, held_out, self._situations(states, evidence, interest, held_out))
        meta = self._meta(Kind.EVALUATOR, version, asdict(config), metrics, {Kind.ENCODER: encoder_version})
        (work / CARD).write_text(card(meta), "utf-8")
        install_deltas(self._registry, meta, work)
        return meta

    def strategist(
        self, version: str, config: StrategistTrainingConfig, render: Render, work: Path, n_situations: int = 24_000
    ) -> ModelMeta:
        """Teach the strategist on the active evaluator's responses."""
        kinds = (Kind.ENCODER, Kind.EVALUATOR)
        requires = {kind: self._registry.active(kind) for kind in kinds}
        evaluator = load_evaluator(
            self._registry.folder(Kind.EVALUATOR, requires[Kind.EVALUATOR]) / "evaluator.safetensors",
            requires[Kind.EVALUATOR],
        )
        rng = np.random.default_rng(config.seed)
        weeks = self._demo.panel.week
        lessons = self._invented(evaluator, np.flatnonzero(weeks <= TRAIN_END), n_situations, rng)
        held_out = self._invented(evaluator, np.flatnonzero(weeks > TRAIN_END), 800, rng)
        write_tokenizer(work / "tokenizer.json")
        tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
        net = train_strategist(
            lessons,
            render,
            tokenizer,
            config,
            lambda step, loss: self._progress(f"strategist, loss {loss:.3f}", step / config.steps),
        )
        save_delta(net, config, work / "delta.safetensors")
        meta = self._meta(Kind.STRATEGIST, version, asdict(config), {}, {})
        (work / CARD).write_text(card(meta), "utf-8")
        folder = install_deltas(self._registry, meta, work)
        trained: Strategist = load_strategist(folder, version)
        meta = meta.model_copy(update={"metrics": strategist_metrics(trained, held_out, render, rng)})
        (work / CARD).write_text(card(meta), "utf-8")
        install_deltas(self._registry, meta, work)
        return meta

    def _active_states(self) -> States:
        version = self._registry.active(Kind.ENCODER)
        if self._states is None or self._states[0] != version:
            folder = self._registry.folder(Kind.ENCODER, version)
            self._states = (
                version,
                encode_states(self._demo, OpenVinoEncoder(folder, version, self._threads), self._progress),
            )
        return self._states[1]

    def _interest(self, states: States) -> tuple[InterestHead, dict[str, float]]:
        rows = self._demo.interest
        at_s = np.asarray(rows.at_s)
        last = float(self._demo.panel.at_s[self._demo.panel.week <= TRAIN_END - 4].max())
        data = InterestData(
            shopper=states.shopper[np.asarray(rows.state)],
            category=states.category[np.asarray(rows.category)],
            pair=np.asarray(rows.pair, np.float32),
            label=self._demo.interest_labels,
        )
        head, _ = train_interest(_split(data, at_s <= last))
        complete = (at_s > last) & (at_s <= float(self._demo.panel.at_s.max()) - 4 * 7 * 86400)
        return head, interest_metrics(head, _split(data, complete))

    def _interest_logits(self, states: States) -> NDArray[np.float32]:
        version = self._registry.active(Kind.ENCODER)
        head = load_interest(self._registry.folder(Kind.ENCODER, version) / "interest.safetensors")
        panel = self._demo.panel
        pair = panel.features[:, len(SHOPPER_PRODUCT) : len(SHOPPER_PRODUCT) + len(PAIR_FEATURES)]
        blocks = np.array_split(np.arange(len(panel.bought)), 1 + len(panel.bought) // 50_000)
        return np.concatenate(
            [
                head.logits(
                    conditional_state(states.shopper[panel.state[b]], states.category[states.category_row[b]], pair[b])
                )
                for b in blocks
            ]
        )

    def _evidence(self, keys: NDArray[np.float32], memory: OutcomeNeighbours) -> NDArray[np.float32]:
        panel = self._demo.panel
        evidence = np.zeros((len(keys), len(EVIDENCE)), np.float32)
        blocks = panel.week // _MEMORY_BLOCK_WEEKS
        for number, block in enumerate(np.unique(blocks)):
            rows = np.flatnonzero(blocks == block)
            if number:
                evidence[rows] = memory.evidence(keys[rows])
            memory.add(keys[rows], panel.bought[rows], panel.weight[rows], np.exp(panel.log_ratio[rows]))
            self._progress("evidence", number / len(np.unique(blocks)))
        return evidence

    def _situations(
        self, states: States, evidence: NDArray[np.float32], interest: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> Situations:
        panel = self._demo.panel
        zeros = np.zeros(len(rows), np.float32)
        return Situations(
            features=panel.features[rows],
            evidence=evidence[rows],
            interest=interest[rows],
            shopper=states.shopper[panel.state[rows]],
            product=states.product[states.product_row[rows]],
            familiarity=zeros + 1,
            intent=zeros,
            trend=zeros,
            rival_log_ratio=zeros * np.nan,
        )

    def _invented(
        self, evaluator: Evaluator, rows: NDArray[np.int64], count: int, rng: np.random.Generator
    ) -> list[Situation]:
        states = self._active_states()
        chosen = rng.choice(rows, count, replace=False)
        interest = self._interest_logits(states)
        found: list[Situation] = []
        for part in np.array_split(chosen, max(1, count // 4000)):
            facts = [_row_facts(self._demo, int(row), float(interest[row]), rng) for row in part]
            evidence = np.zeros((len(interest), len(EVIDENCE)), np.float32)
            batch = self._situations(states, evidence, interest, part)
            found += invent(evaluator, batch, facts, rng, Weights())
        return found

    def _meta(
        self,
        kind: Kind,
        version: str,
        config: Mapping[str, Any],
        metrics: Mapping[str, float],
        requires: Mapping[Kind, str],
    ) -> ModelMeta:
        base = (
            {"minilm": MINILM.sha256}
            if kind is Kind.ENCODER
            else {"smollm2": SMOLLM2.sha256}
            if kind is Kind.STRATEGIST
            else {}
        )
        return ModelMeta(
            kind=kind,
            version=version,
            created_at=datetime.now(UTC),
            trained_on="Complete Journey demo data (simulated, education only), weeks 9-40",
            data_sha256=hashlib.sha256(JOURNEY_TRANSACTIONS.sha256.encode()).hexdigest(),
            base=base,
            config={key: value if isinstance(value, int | float) else str(value) for key, value in config.items()},
            metrics=metrics,
            requires=requires,
            git_revision=_revision(),
            files={},
        )


def _row_facts(demo: DemoPanel, row: int, interest_logit: float, rng: np.random.Generator) -> RowFacts:
    """What a panel row says of its situation; the retrieved outcomes are drawn around the row's own facts."""
    panel = demo.panel
    feature = dict(zip(FEATURES, panel.features[row].tolist(), strict=True))
    bought = int(rng.binomial(32, 0.2))
    return RowFacts(
        category=demo.product_category[int(panel.product[row])],
        interest=float(1 / (1 + np.exp(-interest_logit))),
        loyalty=_loyalty(feature),
        last_paid_ratio=float(np.exp(feature["product_last_ratio"])) if feature["product_bought"] else None,
        past_bought=bought,
        past_total=32 if rng.random() < 0.8 else 0,
        past_ratio=float(np.exp(rng.normal(-0.15, 0.1))) if bought else None,
    )


def _loyalty(feature: Mapping[str, float]) -> str:
    if not feature["category_bought"]:
        return "new"
    if feature["category_due"] >= 3 or feature["category_gap"] > np.log1p(12):
        return "lapsed"
    return "regular" if feature["category_count_slow"] > np.log1p(3) else "occasional"


def _evaluator_data(panel: Panel, states: States, numeric: NDArray[np.float32], rates: PanelConfig) -> EvaluatorData:
    return EvaluatorData(
        numeric=numeric,
        shopper_row=panel.state,
        product_row=states.product_row,
        shopper_states=states.shopper,
        product_states=states.product,
        stranger=states.stranger,
        log_ratio=panel.log_ratio,
        rate=np.where(panel.stratum_a, rates.rate_a, rates.rate_b).astype(np.float32),
        bought=panel.bought,
        weight=panel.weight,
        returned=panel.returned,
        cluster=panel.household,
    )


def _rows(data: EvaluatorData, rows: NDArray[np.int64]) -> EvaluatorData:
    """The same states, fewer rows."""
    whole = ("shopper_states", "product_states", "stranger")
    return EvaluatorData(
        **{name: getattr(data, name) if name in whole else getattr(data, name)[rows] for name in data.__slots__}
    )


def _split(data: InterestData, mask: NDArray[np.bool_]) -> InterestData:
    return InterestData(data.shopper[mask], data.category[mask], data.pair[mask], data.label[mask])


def _revision() -> str:
    """The code's git revision, or `unknown` outside a checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
