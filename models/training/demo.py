"""Training of encoder (with interest head and item factors), evaluator and strategist on the demo data.

Weeks up to 40 train, 41-44 validate, later weeks are never read. Outcome memory and prompt belong to other packages and
are passed as arguments.
"""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.available_cores import available_cores
from models.datasets.complete_journey import DEMO
from models.encoder.base import BASE, base_digest, base_folder
from models.encoder.encoder import OpenVinoEncoder
from models.encoder.export import export_encoder
from models.evaluator.evaluator import Evaluator
from models.evaluator.evaluator_file import load_evaluator, save_evaluator
from models.evaluator.text_effects import TextProjection
from models.evaluator.utility import Weights
from models.language.gguf_weights import write_tokenizer
from models.progress import Progress
from models.registry.base_weights import JOURNEY_PROMOTIONS, JOURNEY_TRANSACTIONS, SMOLLM2, PackagedFile
from models.registry.registry import ModelKind, ModelMeta, Registry
from models.registry.versions import CARD, install_deltas
from models.shopper.interest import InterestHead, load_interest, save_interest
from models.shopper.item_affinity import save_taste
from models.shopper.ranking import save_ranking
from models.strategist.export import export_strategist
from models.strategist.numeric_head import NumericHead
from models.strategist.strategist import load_strategist
from models.training.cards import card
from models.training.demo_inputs import DemoInputs, InputMakers, NewMemory, join_inputs
from models.training.demo_panel import DemoPanel, States, encode_states
from models.training.encoder import EncoderTrainingConfig, contrastive_pairs, train_encoder_delta
from models.training.evaluator import EvaluatorData, fit, key_projection, to_weights
from models.training.evaluator_net import EvaluatorTrainingConfig
from models.training.evaluator_posterior import posterior
from models.training.interest import InterestData, train_interest
from models.training.item_affinity import TasteTrainingConfig, fit_taste
from models.training.metrics import evaluator_metrics, interest_metrics
from models.training.panel import Panel, PanelConfig
from models.training.price_slope import excess_slope, flatten
from models.training.ranking import RankingTrainingConfig, train_ranking
from models.training.regret import measure as measure_regret
from models.training.regret import strategist_metrics
from models.training.situations import Situation, draw_conditions, is_held_out, make_situations, row_facts
from models.training.strategist import Reading, TrainingCallbacks, train_strategist
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_net import StrategistNet, save_delta
from models.training.strategist_numeric_head import ChoiceData, choice_data, fit_numbers, with_language_logits

TRAIN_END: Final = 40
SLOPE_WEEKS: Final = 8
"""Last training weeks, on which a network of the earlier ones shows how much too steep its price response is."""
HELD_OUT_SITUATIONS: Final = 1500


class DemoTraining:
    """Trains encoder, evaluator and strategist, each as a new version in the registry."""

    def __init__(self, registry: Registry, demo: DemoPanel, taste: TasteTrainingConfig, progress: Progress) -> None:
        """Train on one panel, with all cores that this process may use."""
        self._taste = taste
        self._registry = registry
        self._demo = demo
        self._progress = progress
        self._threads = available_cores()
        self._states: tuple[str, States] | None = None
        self._inputs: tuple[NewMemory | None, DemoInputs] | None = None

    def encoder(self, version: str, config: EncoderTrainingConfig, work: Path) -> ModelMeta:
        """Fine-tune the base encoder, then train the interest head, the item factors and the ranking head."""
        panel = self._demo.panel
        pairs = contrastive_pairs(panel, self._demo.product_texts, config)
        with base_folder(config.base) as base:
            metrics = train_encoder_delta(base, pairs, config, work)
        export_encoder(config.base, work / "adapter.safetensors", work)
        states = encode_states(self._demo, OpenVinoEncoder(work, version, self._threads), self._progress)
        self._states, self._inputs = (version, states), None
        head, scores = self._interest(states)
        save_interest(head, work / "interest.safetensors")
        save_taste(fit_taste(self._demo.purchases, states.product, self._taste), work / "taste.safetensors")
        self._progress("ranking head", 0.0)
        ranking, ranking_loss = train_ranking(self._demo, self._taste, RankingTrainingConfig())
        save_ranking(ranking, work / "ranking.safetensors")
        scores["ranking_train_loss"] = ranking_loss
        meta = self._meta(ModelKind.ENCODER, version, asdict(config), {**metrics, **scores}, {})
        (work / CARD).write_text(card(meta), "utf-8")
        install_deltas(self._registry, meta, work)
        return meta

    def evaluator(self, version: str, config: EvaluatorTrainingConfig, new_memory: NewMemory, work: Path) -> ModelMeta:
        """Train the evaluator on the active encoder's states; evidence of a row comes from earlier weeks only."""
        panel = self._demo.panel
        train = panel.week <= TRAIN_END
        inputs = self.inputs(new_memory)
        data = evaluator_data(inputs, self._demo.rates)
        fit_rows = np.flatnonzero(train & (panel.week >= int(panel.week.min()) + 2))  # the first weeks have no evidence
        net = fit(
            data,
            fit_rows,
            config,
            lambda epoch, loss: self._progress(f"evaluator, loss {loss:.4f}", (epoch + 1) / config.epochs),
        )
        flatten(net, data, fit_rows, self._excess_slope(data, fit_rows, config))
        covariances = posterior(net, data, fit_rows, config)
        projection = key_projection(inputs.states.product)
        weights = to_weights(net, covariances, projection, base_rate(panel, train))
        weights = replace(weights, text=TextProjection.of_products(inputs.states.product))
        save_evaluator(weights, covariances, work / "evaluator.safetensors")
        trained = load_evaluator(work / "evaluator.safetensors", version)
        metrics = evaluator_metrics(trained, inputs, np.flatnonzero(~train))
        requires = {ModelKind.ENCODER: self._registry.active(ModelKind.ENCODER)}
        meta = self._meta(ModelKind.EVALUATOR, version, asdict(config), metrics, requires)
        (work / CARD).write_text(card(meta), "utf-8")
        install_deltas(self._registry, meta, work)
        return meta

    def _excess_slope(self, data: EvaluatorData, rows: NDArray[np.int64], config: EvaluatorTrainingConfig) -> float:
        """Measure by a network fitted on the earlier training weeks how much too steep later ones find it."""
        early = self._demo.panel.week[rows] <= TRAIN_END - SLOPE_WEEKS
        net = fit(
            data,
            rows[early],
            config,
            lambda epoch, loss: self._progress(f"price slope, loss {loss:.4f}", (epoch + 1) / config.epochs),
        )
        return excess_slope(net, data, rows[~early])

    def inputs(self, new_memory: NewMemory | None) -> DemoInputs:
        """Compute the evaluator's inputs on the panel with the active encoder; cached for the next call.

        Without `new_memory` the evidence is zero.
        """
        if self._inputs is None or new_memory not in (None, self._inputs[0]):
            states = self._active_states()
            panel = self._demo.panel
            folder = self._registry.folder(ModelKind.ENCODER, self._registry.active(ModelKind.ENCODER))
            makers = InputMakers(
                interest=load_interest(folder / "interest.safetensors"),
                taste=self._taste,
                projection=key_projection(states.product),
                new_memory=new_memory,
                base_rate=base_rate(panel, panel.week <= TRAIN_END),
            )
            self._inputs = (new_memory, join_inputs(self._demo, states, makers, self._progress))
        found = self._inputs[1]
        return found if new_memory is not None else found.without_evidence()

    def strategist(self, version: str, config: StrategistTrainingConfig, reading: Reading, work: Path) -> ModelMeta:
        """Train the strategist on the active evaluator's predictions.

        Metrics are measured on households, products and weeks that training does not see.
        """
        active = self._registry.active(ModelKind.EVALUATOR)
        evaluator = load_evaluator(self._registry.folder(ModelKind.EVALUATOR, active) / "evaluator.safetensors", active)
        rng = np.random.default_rng(config.seed)
        panel = self._demo.panel
        early, household, product = panel.week <= TRAIN_END, is_held_out(panel.household), is_held_out(panel.product)
        situations = self._situations(evaluator, np.flatnonzero(early & ~household & ~product), config.situations, rng)
        unseen = self._situations(evaluator, np.flatnonzero(~early & household & product), HELD_OUT_SITUATIONS, rng)
        write_tokenizer(work / "tokenizer.json")
        tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
        total = config.steps + config.policy_steps
        metrics: dict[str, float] = {}

        def measure(stage: str, net: StrategistNet, numbers: NumericHead) -> None:
            save_delta(net, config, work / "delta.safetensors")
            numbers.save(work)
            export_strategist(work / "delta.safetensors", work)
            found = strategist_metrics(measure_regret(load_strategist(work, version), unseen, reading.render))
            metrics.update({f"{stage}_{name}": value for name, value in found.items()})

        untrained = NumericHead()
        net = train_strategist(
            situations,
            reading.render,
            tokenizer,
            config,
            TrainingCallbacks(
                lambda step, loss: self._progress(f"strategist, loss {loss:.3f}", step / total),
                lambda stage, net: measure(stage, net, untrained),
            ),
        )
        prompts = [reading.render(situation) for situation in situations]
        ids = [one.ids for one in tokenizer.encode_batch(prompts[: config.joint_situations])]
        measure("numbers", net, self._numeric_head(net, choice_data(situations, prompts), ids, config))
        settings = asdict(config) | {"prompt": reading.prompt, "evaluator": active}
        meta = self._meta(ModelKind.STRATEGIST, version, settings, metrics, {})
        (work / CARD).write_text(card(meta), "utf-8")
        install_deltas(self._registry, meta, work)
        return meta

    def _numeric_head(
        self, net: StrategistNet, data: ChoiceData, ids: Sequence[Sequence[int]], config: StrategistTrainingConfig
    ) -> NumericHead:
        """Train the numeric head; `ids` are the token ids of the first prompts, which are used for joint steps."""
        with_language = with_language_logits(
            net,
            data.rows(torch.arange(len(ids))),
            ids,
            lambda share: self._progress("strategist, logits of the language model", share),
        )
        steps = config.number_steps + config.joint_steps
        return fit_numbers(
            data,
            with_language,
            config,
            lambda step, loss: self._progress(f"strategist, numeric head, loss {loss:.3f}", step / steps),
        )

    def _active_states(self) -> States:
        version = self._registry.active(ModelKind.ENCODER)
        if self._states is None or self._states[0] != version:
            folder = self._registry.folder(ModelKind.ENCODER, version)
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

    def _situations(
        self, evaluator: Evaluator, rows: NDArray[np.int64], count: int, rng: np.random.Generator
    ) -> list[Situation]:
        inputs, panel = self.inputs(None), self._demo.panel
        chosen = rng.choice(rows, min(count, len(rows)), replace=False)
        found: list[Situation] = []
        for part in np.array_split(chosen, 1 + len(chosen) // 4000):
            facts = [
                row_facts(
                    panel.features[row],
                    self._demo.product_category[int(panel.product[row])],
                    float(inputs.interest[row]),
                    rng,
                )
                for row in part
            ]
            conditions = [draw_conditions(rng) for _ in part]
            found += make_situations(evaluator, inputs.situations(part), facts, conditions, Weights())
        return found

    def _meta(
        self,
        kind: ModelKind,
        version: str,
        config: Mapping[str, Any],
        metrics: Mapping[str, float],
        requires: Mapping[ModelKind, str],
    ) -> ModelMeta:
        data: tuple[PackagedFile, ...] = (JOURNEY_TRANSACTIONS,)
        promoted = ""
        if kind is ModelKind.EVALUATOR:
            data, promoted = (*data, JOURNEY_PROMOTIONS), ", with displays and mailers"
        base = (
            base_digest(str(config[BASE]))
            if kind is ModelKind.ENCODER
            else {"smollm2": SMOLLM2.sha256}
            if kind is ModelKind.STRATEGIST
            else {}
        )
        return ModelMeta(
            kind=kind,
            version=version,
            created_at=datetime.now(UTC),
            trained_on=f"{DEMO} (simulated, education only), weeks 9-40{promoted}",
            data_sha256=hashlib.sha256("".join(file.sha256 for file in data).encode()).hexdigest(),
            base=base,
            config={key: value if isinstance(value, int | float) else str(value) for key, value in config.items()},
            metrics=metrics,
            requires=requires,
            git_revision=revision(),
            files={},
        )


def evaluator_data(inputs: DemoInputs, rates: PanelConfig) -> EvaluatorData:
    """Assemble all panel rows as training data of the evaluator."""
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
        promotion=inputs.demo.promotion,
    )


def base_rate(panel: Panel, rows: NDArray[np.bool_]) -> float:
    """Purchase rate of the selected rows, weighted to undo the sampling of negatives."""
    return float(np.average(panel.bought[rows], weights=panel.weight[rows]))


def _split(data: InterestData, mask: NDArray[np.bool_]) -> InterestData:
    return InterestData(data.shopper[mask], data.category[mask], data.pair[mask], data.label[mask])


def revision() -> str:
    """Return the git revision of the code, `unknown` outside a checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)  # noqa: S607
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
