"""Contrastive fine-tuning of MiniLM on pairs of a behaviour text and a product bought next.

Multiple-negatives ranking loss (Henderson et al. 2017) with in-batch negatives, LoRA on the encoder's linear layers,
and the sentence-transformers trainer.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from peft import LoraConfig, TaskType, get_peft_model_state_dict
from safetensors.torch import save_file

from models.encoder.encoder import MAX_TOKENS
from models.language.lora import half_precision
from models.language.precision import fast_dtype, training_device
from models.training.panel import Panel

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformerTrainingArguments


@dataclass(frozen=True, slots=True)
class EncoderTrainingConfig:
    """Hyperparameters of the encoder's training."""

    rank: int = 16
    alpha: int = 32
    steps: int = 150
    batch: int = 64
    learning_rate: float = 5e-4
    last_week: int = 40
    seed: int = 17


def contrastive_pairs(
    panel: Panel, product_texts: dict[int, str], config: EncoderTrainingConfig
) -> list[tuple[str, str]]:
    """Build shuffled pairs of behaviour text and text of a product bought next, from training weeks only."""
    rows = np.flatnonzero((panel.bought > 0) & (panel.week <= config.last_week))
    rng = np.random.default_rng(config.seed)
    rng.shuffle(rows)
    return [(panel.texts[panel.state[row]], product_texts[int(panel.product[row])]) for row in rows]


def train_encoder_delta(
    base_folder: Path, pairs: list[tuple[str, str]], config: EncoderTrainingConfig, out: Path
) -> dict[str, float]:
    """Train a LoRA delta and write `adapter.safetensors`; returns metrics."""
    from datasets import Dataset  # these take seconds to import, and the other models train without them
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    torch.manual_seed(config.seed)
    model = SentenceTransformer(str(base_folder), device=training_device().type)
    model.max_seq_length = MAX_TOKENS
    lora = LoraConfig(
        task_type=TaskType.FEATURE_EXTRACTION,
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=0.0,
        target_modules=r".*encoder\.layer\..*\.(query|key|value|dense)",  # not the unused pooler
    )
    model.add_adapter(lora)
    needed = min(len(pairs), config.steps * config.batch)
    anchors, positives = zip(*pairs[:needed], strict=True)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=_arguments(config, out),
        train_dataset=Dataset.from_dict({"anchor": list(anchors), "positive": list(positives)}),
        loss=MultipleNegativesRankingLoss(model),
    )
    result = trainer.train()
    save_adapter(model[0].auto_model, out / "adapter.safetensors", config)
    return {"train_loss": float(result.training_loss), "steps": float(result.global_step)}


def _arguments(config: EncoderTrainingConfig, out: Path) -> "SentenceTransformerTrainingArguments":
    from sentence_transformers import SentenceTransformerTrainingArguments  # as above
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    device = training_device()
    return SentenceTransformerTrainingArguments(
        output_dir=str(out / "trainer"),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch,
        learning_rate=config.learning_rate,
        warmup_steps=max(1, config.steps // 10),
        lr_scheduler_type="cosine",
        bf16=fast_dtype(device) is torch.bfloat16,
        use_cpu=device.type == "cpu",
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        save_strategy="no",
        report_to=[],
        logging_steps=20,
        seed=config.seed,
    )


def save_adapter(module: Any, path: Path, config: EncoderTrainingConfig) -> None:
    """Write the LoRA matrices in half precision, with scale and hyperparameters as metadata."""
    state = half_precision(get_peft_model_state_dict(module))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        state,
        str(path),
        metadata={"scale": str(config.alpha / config.rank), **{k: str(v) for k, v in asdict(config).items()}},
    )
