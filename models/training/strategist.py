"""Supervised fine-tuning of the strategist: LoRA on the first layers of SmolLM2, and the strategy tokens from scratch.

Targets are soft (`training.situations.lesson`): the loss is each slot's Kullback-Leibler divergence from them.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from models.gguf_weights import read_layers
from models.llama import LlamaShape
from models.strategist import (
    ANCHOR_AT,
    ANCHORS,
    LEVER_AT,
    LEVERS,
    MOVE_AT,
    ROUNDING_AT,
    SMOLLM2_SHAPE,
    VOCABULARY,
)
from models.strategy import MOVES
from models.training.situations import Lesson, Situation, lesson

_HEAD_RATE = 3.0  # the strategy tokens start from nothing

Render = Callable[[Situation], str]


@dataclass(frozen=True, slots=True)
class StrategistTrainingConfig:
    """How the strategist's delta is trained."""

    rank: int = 16
    alpha: int = 32
    steps: int = 500
    batch: int = 32
    learning_rate: float = 1.5e-3
    seed: int = 17


class StrategistNet(nn.Module):
    """The first layers with LoRA, and the strategy tokens' embedding and head."""

    def __init__(self, config: StrategistTrainingConfig, shape: LlamaShape = SMOLLM2_SHAPE) -> None:
        """Load base weights and add what is trained."""
        super().__init__()
        model = LlamaModel(llama_config(shape))
        model.load_state_dict(read_layers(shape))
        lora = LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
        )
        self.layers = get_peft_model(model, lora)
        self.embedding = nn.Parameter(torch.randn(VOCABULARY, shape.width) * 0.1)
        self.head = nn.Parameter(torch.randn(VOCABULARY, shape.width) * 0.02)

    def forward(self, ids: Tensor, lengths: Tensor, written: Tensor) -> Tensor:
        """States `(n, 4, width)` from which lever, anchor, move and rounding are read.

        `ids` `(n, length)` are right-padded prompts, `written` `(n, 3)` the strategy tokens lever, anchor, move.
        """
        n, length = ids.shape
        prompt = self.layers.get_input_embeddings()(ids)
        inputs = torch.cat([prompt, prompt.new_zeros(n, 3, prompt.shape[-1])], 1)
        rows = torch.arange(n)[:, None]
        slots = lengths[:, None] + torch.arange(3)[None]  # right behind each prompt
        inputs = inputs.index_put((rows, slots), self.embedding[written].to(inputs.dtype))
        mask = (torch.arange(length + 3)[None] < (lengths + 3)[:, None]).long()
        states = self.layers(inputs_embeds=inputs, attention_mask=mask).last_hidden_state
        reads = lengths[:, None] - 1 + torch.arange(4)[None]
        found: Tensor = states[rows, reads]
        return found


def llama_config(shape: LlamaShape) -> LlamaConfig:
    """The same model as transformers configures it."""
    return LlamaConfig(
        vocab_size=49152,
        hidden_size=shape.width,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_kv_heads,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        rms_norm_eps=shape.norm_eps,
        use_cache=False,
    )


def train_strategist(
    situations: Sequence[Situation],
    render: Render,
    tokenizer: Tokenizer,
    config: StrategistTrainingConfig,
    on_step: Callable[[int, float], None] | None = None,
) -> StrategistNet:
    """Train on situations drawn with replacement; `on_step` is told step and loss."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    net = StrategistNet(config)
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    rates = [config.learning_rate, _HEAD_RATE * config.learning_rate]
    groups = [[p for p in net.layers.parameters() if p.requires_grad], [net.embedding, net.head]]
    optimiser = torch.optim.AdamW(
        [{"params": group, "lr": rate} for group, rate in zip(groups, rates, strict=True)], weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=config.steps, pct_start=0.1)
    for step in range(config.steps):
        chosen = [situations[index] for index in rng.integers(0, len(situations), config.batch)]
        lessons = [lesson(situation, rng) for situation in chosen]
        ids, lengths = pad([tokenizer.encode(render(situation)).ids for situation in chosen])
        with torch.autocast("cpu", torch.bfloat16):
            states = net(ids, lengths, _written(lessons))
        loss = slot_loss(net.head, states.float(), lessons)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        if on_step is not None:
            on_step(step, float(loss.detach()))
    return net


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Right-padded ids `(n, length)` and true lengths."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
    return ids, lengths


def _written(lessons: Sequence[Lesson]) -> Tensor:
    return torch.tensor(
        [
            (LEVER_AT + LEVERS.index(x.lever), ANCHOR_AT + ANCHORS.index(x.anchor), MOVE_AT + MOVES.index(x.move_pct))
            for x in lessons
        ]
    )


def slot_loss(head: Tensor, states: Tensor, lessons: Sequence[Lesson]) -> Tensor:
    """Mean divergence of the four slots from their soft targets, 0 when they are met exactly."""
    starts = (LEVER_AT, ANCHOR_AT, MOVE_AT, ROUNDING_AT)
    targets: tuple[Any, ...] = (
        np.stack([x.lever_target for x in lessons]),
        np.stack([x.anchor_target for x in lessons]),
        np.stack([x.move_target for x in lessons]),
        np.stack([x.rounding_target for x in lessons]),
    )
    weights = (1.0, 0.3, 1.0, 0.2)
    total = states.new_zeros(())
    for slot, (start, target, weight) in enumerate(zip(starts, targets, weights, strict=True)):
        wanted = torch.from_numpy(target).float()
        logits = states[:, slot] @ head[start : start + wanted.shape[1]].T
        surprise = torch.xlogy(wanted, wanted) - wanted * torch.log_softmax(logits, -1)
        total = total + weight * surprise.sum(1).mean()
    return total


def save_delta(net: StrategistNet, config: StrategistTrainingConfig, path: Path) -> None:
    """Write LoRA matrices and strategy tokens in half precision."""
    state = {
        name: tensor.detach().half().contiguous() for name, tensor in get_peft_model_state_dict(net.layers).items()
    }
    state["strategy.embedding"] = net.embedding.detach().half().contiguous()
    state["strategy.head"] = net.head.detach().half().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"scale": str(config.alpha / config.rank)} | {key: str(value) for key, value in asdict(config).items()}
    save_file(state, str(path), metadata=metadata)
