"""Fine-tuning of the narrator: LoRA on all of SmolLM2's layers, next-token loss on answer tokens only."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from peft.peft_model import PeftModel
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import LlamaModel

from models.language.gguf_weights import read_layers
from models.language.llama import LlamaShape
from models.language.lora import half_precision
from models.language.narrator import NARRATOR_SHAPE, Grammar
from models.language.precision import fast_autocast, training_device
from models.training.strategist import pad
from models.training.strategist_net import llama_config

Encoded = tuple[list[int], list[int]]
"""Token ids of a prompt and of its answer."""

_SORTED: Final = 8  # batches that are sampled and sorted by length together


@dataclass(frozen=True, slots=True)
class NarratorTrainingConfig:
    """Hyperparameters of the narrator's training."""

    rank: int = 8
    alpha: int = 16
    steps: int = 240
    batch: int = 12
    learning_rate: float = 1e-3
    seed: int = 17


@dataclass(frozen=True, slots=True)
class NarratorExample:
    """A prompt with its answer."""

    prompt: str
    answer: str


def train_narrator(
    examples: Sequence[NarratorExample],
    tokenizer: Tokenizer,
    config: NarratorTrainingConfig,
    on_step: Callable[[int, float], None] | None = None,
    shape: LlamaShape = NARRATOR_SHAPE,
) -> PeftModel:
    """Train on randomly sampled examples; `on_step` receives the step and its loss (nats per token)."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    base = LlamaModel(llama_config(shape))
    base.load_state_dict(read_layers(shape))
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    )
    device = training_device()
    net = get_peft_model(base, lora).to(device)
    head = base.embed_tokens.weight.detach()  # (vocabulary, width), tied
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.steps, pct_start=0.1
    )
    end = Grammar(tokenizer).end
    encoded = [(tokenizer.encode(x.prompt).ids, [*tokenizer.encode(f" {x.answer}").ids, end]) for x in examples]
    for step, chosen in zip(range(config.steps), _batches(encoded, config.batch, rng), strict=False):
        ids, lengths = (tensor.to(device) for tensor in pad([prompt + answer for prompt, answer in chosen]))
        place = torch.arange(ids.shape[1], device=device)
        mask = (place[None] < lengths[:, None]).long()
        starts = torch.tensor([len(prompt) for prompt, _ in chosen], device=device)
        in_answer = (place[None, :-1] >= starts[:, None] - 1) & mask[:, 1:].bool()
        with fast_autocast(device):
            states = net(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1][in_answer]
            logits = states @ head.T
        loss = cross_entropy(logits.float(), ids[:, 1:][in_answer])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        if on_step is not None:
            on_step(step, float(loss.detach()))
    return net


def _batches(examples: Sequence[Encoded], size: int, rng: np.random.Generator) -> Iterator[list[Encoded]]:
    """Sample batches of examples of similar length, which reduces padding."""
    while True:
        drawn = [examples[index] for index in rng.integers(0, len(examples), size * _SORTED)]
        drawn.sort(key=lambda example: len(example[0]) + len(example[1]))
        for start in rng.permutation(_SORTED) * size:
            yield drawn[start : start + size]


def save_narrator_delta(net: PeftModel, config: NarratorTrainingConfig, path: Path) -> None:
    """Write the LoRA matrices in half precision."""
    state = half_precision(get_peft_model_state_dict(net))
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"scale": str(config.alpha / config.rank)} | {key: str(value) for key, value in asdict(config).items()}
    save_file(state, str(path), metadata=metadata)
