"""Contrastive fine-tuning of an encoder on pairs of a behaviour text and a product bought next.

Pairs of names of goods in four languages keep a multilingual encoder multilingual. Multiple-negatives ranking loss
(Henderson et al. 2017) with in-batch negatives, LoRA on the linear layers, and the sentence-transformers trainer.
"""

import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from peft import LoraConfig, TaskType, get_peft_model_state_dict
from safetensors.torch import save_file

from models.encoder.base import E5
from models.encoder.export import load_base, silence_libraries, transformer_of
from models.language.lora import half_precision
from models.language.precision import fast_dtype, training_device
from models.training.panel import Panel

if TYPE_CHECKING:
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainingArguments


PRODUCT_NAMES: Final = Path(__file__).parent / "data" / "product_names.tsv"
"""Names of goods in English, Chinese, German and Spanish, written for Pricesmith; none of `eval encoder`'s goods."""


@dataclass(frozen=True, slots=True)
class EncoderTrainingConfig:
    """Hyperparameters of the encoder's training.

    Attributes:
        base: Base encoder, by name or sentence-transformers folder.
        names: How often each of the `PRODUCT_NAMES` is paired across two languages.
    """

    base: str = E5
    rank: int = 16
    alpha: int = 32
    steps: int = 150
    batch: int = 64
    learning_rate: float = 5e-4
    names: int = 8
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


def name_pairs(config: EncoderTrainingConfig) -> list[tuple[str, str]]:
    """Build pairs of one good's names in two languages, drawn anew for each of `config.names` passes."""
    with PRODUCT_NAMES.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines, delimiter="\t"))[1:]
    rng = np.random.default_rng(config.seed)
    drawn = [(row, rng.choice(len(row), 2, replace=False)) for _ in range(config.names) for row in rows]
    return [(row[left], row[right]) for row, (left, right) in drawn]


def train_encoder_delta(
    base_folder: Path, pairs: list[tuple[str, str]], config: EncoderTrainingConfig, out: Path
) -> dict[str, float]:
    """Train a LoRA delta and write `adapter.safetensors`; returns metrics."""
    from sentence_transformers import SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    torch.manual_seed(config.seed)
    with silence_libraries():
        model = load_base(base_folder, training_device().type, attention="sdpa")
    lora = LoraConfig(
        task_type=TaskType.FEATURE_EXTRACTION,
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=0.0,
        target_modules=_matrices(transformer_of(model)),
    )
    model.add_adapter(lora)
    named = {"behaviour": pairs[: config.steps * config.batch], "names": name_pairs(config)}
    trainer = SentenceTransformerTrainer(
        model=model,
        args=_arguments(config, out),
        train_dataset={name: _dataset(found) for name, found in named.items() if found},
        loss=MultipleNegativesRankingLoss(model),
    )
    result = trainer.train()
    save_adapter(transformer_of(model), out / "adapter.safetensors", config)
    return {"train_loss": float(result.training_loss), "steps": float(result.global_step)}


def _matrices(transformer: torch.nn.Module) -> list[str]:
    """Names of the matrices that a delta is trained for: all but those of a pooler, which is not used."""
    named = transformer.named_modules()
    return [name for name, module in named if isinstance(module, torch.nn.Linear) and "pooler" not in name]


def _dataset(pairs: list[tuple[str, str]]) -> "Dataset":
    from datasets import Dataset  # takes seconds to import, and the other models train without it

    anchors, positives = zip(*pairs, strict=True)
    return Dataset.from_dict({"anchor": list(anchors), "positive": list(positives)})


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
