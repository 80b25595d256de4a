"""Training on the demo data, from nothing to three versions: encoder (with interest head), evaluator, strategist.

Weeks up to 40 train, 41-44 validate, later weeks are never read. The outcome memory and the prompt belong to other
packages and come in as arguments.
"""

import hashlib
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.base_weights import JOURNEY_TRANSACTIONS, MINILM, SMOLLM2
from models.encoder import OpenVinoEncoder
from models.evaluator import Evaluator, load_evaluator, save_evaluator
from models.features import FEATURES, PAIR_FEATURES
from models.gguf_weights import write_tokenizer
from models.interest import InterestHead, load_interest, save_interest
from models.ranking import save_ranking
from models.registry import Kind, ModelMeta, Registry
from models.strategist import Strategist, load_strategist
from models.taste import save_taste
from models.training.cards import card
from models.training.demo_inputs import DemoInputs, InputMakers, NewMemory, join_inputs
from models.training.demo_panel import DemoPanel, Progress, States, encode_states
from models.training.encoder import EncoderTrainingConfig, contrastive_pairs, train_encoder_delta
from models.training.evaluator import (
    EvaluatorData,
    EvaluatorTrainingConfig,
    fit,
    key_projection,
    posterior,
    to_weights,
)
from models.training.interest import InterestData, train_interest
from models.training.metrics import evaluator_metrics, interest_metrics, strategist_metrics
from models.training.panel import Panel, PanelConfig
from models.training.ranking import RankingTrainingConfig, train_ranking
from models.training.situations import RowFacts, Situation, invent
from models.training.strategist import StrategistTrainingConfig, save_delta, train_strategist
from models.training.taste import TasteTrainingConfig, fit_taste
from models.value import Weights
from models.versions import CARD, install_deltas

Render = Callable[[Situation], str]

TRAIN_END: Final = 40


class DemoTraining:
    """Trains the three kinds, each into a new version of the registry."""

    def __init__(
        self, registry: Registry, demo: DemoPanel, taste: TasteTrainingConfig, progress: Progress, threads: int = 2
    ) -> None:
        """Work on one panel; progress is told (what, share done)."""
        self._taste = taste
        self._registry = registry
        self._demo = demo
        self._progress = progress
        self._threads = threads
        self._states: tuple[str, States] | None = None
        self._inputs: tuple[NewMemory | None, DemoInputs] | None = None

    def encoder(self, version: str, config: EncoderTrainingConfig, work: Path) -> ModelMeta:
        """Fine-tune MiniLM, then the interest head and the item states beside it."""
        panel = self._demo.panel
        pairs = contrastive_pairs(panel, self._demo.product_texts, config)
        metrics = train_encoder_delta(MINILM.verified().parent, pairs, config, work)
        save_interest(InterestHead(np.zeros(384 + len(PAIR_FEATURES)), 0.0), work / "interest.safetensors")
        meta = self._meta(Kind.ENCODER, version, asdict(config), metrics, {})
        (work / CARD).write_text(card(meta), "utf-8")
        folder = install_deltas(self._registry, meta, work)
        states = encode_states(self._demo, OpenVinoEncoder(folder, version, self._threads), self._progress)
        self._states, self._inputs = (version, states), None
        head, scores = self._interest(states)
        save_interest(head, work / "interest.safetensors")
        save_taste(fit_taste(self._demo.purchases, states.product, self._taste), work / "taste.safetensors")
        self._progress("ranking head", 0.0)
        ranking, ranking_loss = train_ranking(self._demo, self._taste, RankingTrainingConfig())
        save_ranking(ranking, work / "ranking.safetensors")
        meta = meta.model_copy(update={"metrics": {**metrics, **scores, "ranking_train_loss": ranking_loss}})
        (work / CARD).write_text(card(meta), "utf-8")
        install_deltas(self._registry, meta, work)
        return meta

    def evaluator(self, version: str, config: EvaluatorTrainingConfig, new_memory: NewMemory, work: Path) -> ModelMeta:
        """Train the evaluator on the active encoder's states, evidence gathered block by block from the past."""
        panel = self._demo.panel
        train = panel.week <= TRAIN_END
        inputs = self.inputs(new_memory)
        data = evaluator_data(inputs, self._demo.rates)
        fit_rows = np.flatnonzero(train & (panel.week >= int(panel.week.min()) + 2))  # before: nothing to retrieve
        net = fit(
            data,
            fit_rows,
            config,
            lambda epoch, loss: self._progress(f"evaluator, loss {loss:.4f}", (epoch + 1) / config.epochs),
        )
        covariances = posterior(net, data, fit_rows, config)
        projection = key_projection(inputs.states.product)
        weights = to_weights(net, covariances, projection, base_rate(panel, train))
        save_evaluator(weights, covariances, work / "evaluator.safetensors")
        trained = load_evaluator(work / "evaluator.safetensors", version)
        metrics = evaluator_metrics(trained, inputs, np.flatnonzero(~train))
        requires = {Kind.ENCODER: self._registry.active(Kind.ENCODER)}
        meta = self._meta(Kind.EVALUATOR, version, asdict(config), metrics, requires)
        (work / CARD).write_text(card(meta), "utf-8")
        install_deltas(self._registry, meta, work)
        return meta

    def inputs(self, new_memory: NewMemory | None) -> DemoInputs:
        """Everything the evaluator reads of the panel, made with the active encoder; kept for the next call."""
        if self._inputs is None or self._inputs[0] is not new_memory:
            states = self._active_states()
            panel = self._demo.panel
            folder = self._registry.folder(Kind.ENCODER, self._registry.active(Kind.ENCODER))
            makers = InputMakers(
                interest=load_interest(folder / "interest.safetensors"),
                taste=self._taste,
                projection=key_projection(states.product),
                new_memory=new_memory,
                base_rate=base_rate(panel, panel.week <= TRAIN_END),
            )
            self._inputs = (new_memory, join_inputs(self._demo, states, makers, self._progress))
        return self._inputs[1]

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

    def _invented(
        self, evaluator: Evaluator, rows: NDArray[np.int64], count: int, rng: np.random.Generator
    ) -> list[Situation]:
        inputs = self.inputs(None).without_evidence()
        chosen = rng.choice(rows, count, replace=False)
        found: list[Situation] = []
        for part in np.array_split(chosen, max(1, count // 4000)):
            facts = [_row_facts(self._demo, int(row), float(inputs.interest[row]), rng) for row in part]
            found += invent(evaluator, inputs.situations(part), facts, rng, Weights())
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
            git_revision=revision(),
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


def evaluator_data(inputs: DemoInputs, rates: PanelConfig) -> EvaluatorData:
    """All panel rows as the evaluator's training reads them."""
    panel, states = inputs.demo.panel, inputs.states
    return EvaluatorData(
        numeric=inputs.numeric(),
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


def base_rate(panel: Panel, rows: NDArray[np.bool_]) -> float:
    """Purchase rate of the unsampled rows."""
    return float(np.average(panel.bought[rows], weights=panel.weight[rows]))


def _split(data: InterestData, mask: NDArray[np.bool_]) -> InterestData:
    return InterestData(data.shopper[mask], data.category[mask], data.pair[mask], data.label[mask])


def revision() -> str:
    """The code's git revision, or `unknown` outside a checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
