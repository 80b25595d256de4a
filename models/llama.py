"""The first layers of a Llama-style language model, for short prompts and very short answers.

A plain-torch forward with one key-value cache for a prompt and a small one for each continuation (beam), so that
several continuations share the prompt's computation. Weights are read once from safetensors; tests hold the outputs
against transformers' `LlamaModel`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """Sizes of the model (SmolLM2-135M: 576 wide, 9 query heads, 3 key-value heads)."""

    width: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    intermediate: int
    rope_theta: float
    norm_eps: float

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.width // self.n_heads


@dataclass(slots=True)
class PromptCache:
    """Keys and values of prompts, per layer `(n, kv_heads, length, head_dim)`; `padding` is True on pads."""

    keys: list[Tensor]
    values: list[Tensor]
    padding: Tensor
    lengths: Tensor  # (n,) true lengths


@dataclass(slots=True)
class BeamCache:
    """Keys and values of continuations, per layer `(n, beams, n_kv_heads, steps, head_dim)`."""

    keys: list[Tensor]
    values: list[Tensor]

    def select(self, beams: Tensor) -> "BeamCache":
        """Keep beams `(n, kept)` by index."""
        rows = torch.arange(len(beams))[:, None]
        return BeamCache([key[rows, beams] for key in self.keys], [value[rows, beams] for value in self.values])


class LlamaLayers:
    """Forward passes over the first layers."""

    def __init__(self, tensors: dict[str, Tensor], shape: LlamaShape, *, wide_prompts: bool = False) -> None:
        """Take tensors named as in transformers (`layers.0.self_attn.q_proj.weight`, ..., `norm.weight`).

        `wide_prompts` reads prompts in f32 whatever the weights' type, one layer at a time: many rows of bfloat16 are
        slow on a CPU without instructions for it, while the one row of a next token gains from reading half the bytes.
        """
        self.shape = shape
        self._wide_prompts = wide_prompts
        self._embedding = tensors["embed_tokens.weight"]
        self._norm = tensors["norm.weight"]
        self._layers = [_Layer.read(tensors, f"layers.{index}.", shape) for index in range(shape.n_layers)]
        exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
        self._frequencies = shape.rope_theta**-exponents

    @property
    def dtype(self) -> torch.dtype:
        """Type of weights and activations."""
        return self._embedding.dtype

    def prefill(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, PromptCache]:
        """Read right-padded prompts `(n, length)`; returns the last state of each `(n, width)` and the cache."""
        n, length = ids.shape
        positions = torch.arange(length)
        padding = positions[None] >= lengths[:, None]
        cos, sin = self._rotation(positions)
        causal = positions[None, :] <= positions[:, None]  # (length, length)
        allowed = causal[None, None] & ~padding[:, None, None, :]
        allowed = allowed | torch.eye(length, dtype=torch.bool)  # a pad sees itself: no row is empty
        cache = PromptCache([], [], padding, lengths)
        state = self._embedding[ids]  # (n, length, width)
        state = state.float() if self._wide_prompts else state
        for kept in self._layers:
            layer = kept.wide() if self._wide_prompts else kept
            query, key, value = layer.project(state, self.shape)  # (n, heads, length, head_dim)
            query, key = _rotate(query, cos, sin), _rotate(key, cos, sin)
            cache.keys.append(key.to(self.dtype))
            cache.values.append(value.to(self.dtype))
            mixed = scaled_dot_product_attention(query, key, value, attn_mask=allowed, enable_gqa=True)
            state = layer.finish(state, mixed.transpose(1, 2).reshape(n, length, -1))
        last = state[torch.arange(n), lengths - 1].to(self.dtype)
        return rms_norm(last, (self.shape.width,), self._norm, self.shape.norm_eps), cache

    def step(self, inputs: Tensor, prompt: PromptCache, beams: BeamCache | None) -> tuple[Tensor, BeamCache]:
        """Read one more input `(n, beams, width)` a beam; returns states `(n, beams, width)` and the longer cache."""
        n, count, _ = inputs.shape
        done = 0 if beams is None else beams.keys[0].shape[3]
        cos, sin = self._rotation(prompt.lengths + done)
        cos, sin = cos[:, None, None, :], sin[:, None, None, :]  # over beams and heads
        longer = BeamCache([], [])
        state = inputs
        groups = self.shape.n_heads // self.shape.n_kv_heads
        blocked = prompt.padding[:, None, None, None, :]
        for index, layer in enumerate(self._layers):
            query, key, value = layer.project_one(state, self.shape)  # (n, beams, heads, head_dim)
            query, key = _rotate(query, cos, sin), _rotate(key, cos, sin)
            key, value = key.unsqueeze(3), value.unsqueeze(3)
            if beams is not None:
                key = torch.cat([beams.keys[index], key], 3)
                value = torch.cat([beams.values[index], value], 3)
            longer.keys.append(key)
            longer.values.append(value)
            grouped = query.view(n, count, self.shape.n_kv_heads, groups, self.shape.head_dim)
            to_prompt = torch.einsum("nbkgd,nkld->nbkgl", grouped, prompt.keys[index])
            to_beam = torch.einsum("nbkgd,nbksd->nbkgs", grouped, key)
            scores = torch.cat([to_prompt.masked_fill(blocked, float("-inf")), to_beam], -1)
            weights = torch.softmax(scores.float() * self.shape.head_dim**-0.5, -1).to(state.dtype)
            length = to_prompt.shape[-1]
            mixed = torch.einsum("nbkgl,nkld->nbkgd", weights[..., :length], prompt.values[index])
            mixed = mixed + torch.einsum("nbkgs,nbksd->nbkgd", weights[..., length:], value)
            state = layer.finish(state, mixed.reshape(n, count, -1))
        return rms_norm(state, (self.shape.width,), self._norm, self.shape.norm_eps), longer

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        angles = positions.float()[:, None] * self._frequencies[None]  # (positions, head_dim / 2)
        angles = torch.cat([angles, angles], -1)
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)


def _rotate(vectors: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = vectors.shape[-1] // 2
    turned = torch.cat([-vectors[..., half:], vectors[..., :half]], -1)
    return vectors * cos + turned * sin


@dataclass(slots=True)
class _Layer:
    """Weights of one decoder layer; projections are fused where they read the same input."""

    qkv: Tensor
    out: Tensor
    gate_up: Tensor
    down: Tensor
    norm_in: Tensor
    norm_mid: Tensor
    eps: float

    @classmethod
    def read(cls, tensors: dict[str, Tensor], prefix: str, shape: LlamaShape) -> "_Layer":
        def weight(name: str) -> Tensor:
            return tensors[f"{prefix}{name}.weight"]

        return cls(
            qkv=torch.cat([weight(f"self_attn.{name}_proj") for name in ("q", "k", "v")]).contiguous(),
            out=weight("self_attn.o_proj"),
            gate_up=torch.cat([weight("mlp.gate_proj"), weight("mlp.up_proj")]).contiguous(),
            down=weight("mlp.down_proj"),
            norm_in=weight("input_layernorm"),
            norm_mid=weight("post_attention_layernorm"),
            eps=shape.norm_eps,
        )

    def wide(self) -> "_Layer":
        """The same weights in f32."""
        return _Layer(
            qkv=self.qkv.float(),
            out=self.out.float(),
            gate_up=self.gate_up.float(),
            down=self.down.float(),
            norm_in=self.norm_in.float(),
            norm_mid=self.norm_mid.float(),
            eps=self.eps,
        )

    def _fused(self, state: Tensor, shape: LlamaShape) -> tuple[Tensor, Tensor, Tensor]:
        normed = rms_norm(state, (shape.width,), self.norm_in, self.eps)
        narrow = shape.n_kv_heads * shape.head_dim
        query, key, value = torch.split(linear(normed, self.qkv), [shape.width, narrow, narrow], -1)
        heads = (*state.shape[:2], -1, shape.head_dim)
        return query.view(heads), key.reshape(heads), value.reshape(heads)

    def project(self, state: Tensor, shape: LlamaShape) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values of whole prompts, heads before positions."""
        query, key, value = self._fused(state, shape)
        return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)

    def project_one(self, state: Tensor, shape: LlamaShape) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values of one position a beam."""
        return self._fused(state, shape)

    def finish(self, state: Tensor, mixed: Tensor) -> Tensor:
        """Output projection and the feed-forward block, both residual."""
        state = state + linear(mixed, self.out)
        normed = rms_norm(state, (state.shape[-1],), self.norm_mid, self.eps)
        gate, up = linear(normed, self.gate_up).chunk(2, -1)
        return state + linear(silu(gate) * up, self.down)
