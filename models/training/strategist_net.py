"""Trainable network of the strategist: SmolLM2's first layers with LoRA, and newly initialised strategy tokens.

Tree attention evaluates many branches (lever, anchor, move) after one prompt in a single pass: each branch attends to
the prompt and to itself only.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Final, NamedTuple

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from models.encoder.export import silence_libraries
from models.language.gguf_weights import read_layers
from models.language.llama import LlamaShape
from models.language.lora import half_precision
from models.strategist.tokens import VOCABULARY
from models.training.strategist_config import StrategistTrainingConfig

_ADAPTED: Final = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

_MASKED: Final = -1e9


class HiddenStates(NamedTuple):
    """States at the end of the prompts `(n, width)` and at each token of their branches `(n, branches, k, width)`."""

    prompt: Tensor
    branches: Tensor


class StrategistNet(nn.Module):
    """First layers with LoRA, and embedding and head of the strategy tokens."""

    def __init__(self, model: LlamaModel, config: StrategistTrainingConfig) -> None:
        """Add LoRA matrices and strategy tokens to the base layers."""
        super().__init__()
        model.set_attn_implementation("eager")  # a sixth faster than sdpa on such short prompts
        width = model.config.hidden_size
        lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules=_ADAPTED)
        with silence_libraries():
            self.layers = get_peft_model(model, lora)
        self.embedding = nn.Parameter(torch.randn(VOCABULARY, width) * 0.1)
        self.head = nn.Parameter(torch.randn(VOCABULARY, width) * 0.02)

    @classmethod
    def from_base(cls, config: StrategistTrainingConfig) -> "StrategistNet":
        """Build on SmolLM2's first layers."""
        model = LlamaModel(llama_config(config.shape))
        model.load_state_dict(read_layers(config.shape))
        return cls(model, config)

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self.head.device

    def forward(self, ids: Tensor, lengths: Tensor, written: Tensor) -> HiddenStates:
        """Compute states of right-padded prompts `(n, length)` followed by strategy tokens `(n, branches, k)`."""
        n, length = ids.shape
        _, branches, k = written.shape
        prompt = self.layers.get_input_embeddings()(ids)
        tail = self.embedding[written].reshape(n, branches * k, -1).to(prompt.dtype)
        places, steps = torch.arange(length, device=ids.device), torch.arange(k, device=ids.device).repeat(branches)
        positions = torch.cat([places.expand(n, -1), lengths[:, None] + steps[None]], 1)
        states = self.layers(
            inputs_embeds=torch.cat([prompt, tail], 1),
            attention_mask=torch.where(tree_mask(length, lengths, branches, k), 0.0, _MASKED).to(tail.dtype),
            position_ids=positions,
        ).last_hidden_state
        last = states[torch.arange(n, device=ids.device), lengths - 1]
        return HiddenStates(last, states[:, length:].reshape(n, branches, k, -1))


def tree_mask(length: int, lengths: Tensor, branches: int, k: int) -> Tensor:
    """Build the attention mask `(n, 1, t, t)`, t = length + branches * k.

    A branch token attends to its prompt and to earlier tokens of its branch.
    """
    n, size = len(lengths), length + branches * k
    place = torch.arange(size, device=lengths.device)
    causal = place[None, :] <= place[:, None]
    in_prompt = place < length
    branch = torch.where(in_prompt, -1, (place - length) // k)
    seen = causal & (in_prompt[None, :] | (branch[None, :] == branch[:, None]))
    padding = in_prompt[None] & (place[None] >= lengths[:, None])  # (n, size)
    visible = seen[None] & ~padding[:, None, :]
    itself = torch.eye(size, dtype=torch.bool, device=place.device)  # padding too, as an empty row has no softmax
    return (visible | itself).view(n, 1, size, size)


def llama_config(shape: LlamaShape) -> LlamaConfig:
    """Build transformers' configuration of a model of these dimensions."""
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


def save_delta(net: StrategistNet, config: StrategistTrainingConfig, path: Path) -> None:
    """Write LoRA matrices and strategy tokens in half precision."""
    tokens = {"strategy.embedding": net.embedding, "strategy.head": net.head}
    state = half_precision(get_peft_model_state_dict(net.layers) | tokens)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"scale": str(config.alpha / config.rank)} | {key: str(value) for key, value in asdict(config).items()}
    save_file(state, str(path), metadata=metadata)
