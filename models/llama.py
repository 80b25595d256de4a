"""The first layers of a Llama-style language model, for short prompts and very short answers.

A plain-torch forward with one key-value cache for a prompt and a small one for each continuation (beam), so that
several continuations share the prompt's computation. Weights are read once from safetensors; tests hold the outputs
against transformers' `LlamaModel`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from models.matrix import Matrix, NumberFormat

_EXACT: Final = NumberFormat(torch.float32)


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

    def __init__(self, tensors: Mapping[str, Tensor], shape: LlamaShape, form: NumberFormat = _EXACT) -> None:
        """Take tensors named as in transformers (`layers.0.self_attn.q_proj.weight`, ..., `norm.weight`)."""
        self.shape = shape
        self.form = form
        self._embedding = tensors["embed_tokens.weight"]
        self._norm = tensors["norm.weight"].to(form.dtype)
        self._layers = [_Layer.read(tensors, f"layers.{index}.", shape, form) for index in range(shape.n_layers)]
        exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
        self._frequencies = shape.rope_theta**-exponents

    @property
    def dtype(self) -> torch.dtype:
        """Type of states."""
        return self.form.dtype

    def embed(self, ids: Tensor) -> Tensor:
        """Inputs `(..., width)` of tokens `(...)`."""
        return self._embedding[ids].to(self.dtype)

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
        state = self.embed(ids)  # (n, length, width)
        for layer in self._layers:
            query, key, value = layer.project(state, self.shape)  # (n, heads, length, head_dim)
            query, key = _rotate(query, cos, sin), _rotate(key, cos, sin)
            cache.keys.append(key)
            cache.values.append(value)
            mixed = scaled_dot_product_attention(query, key, value, attn_mask=allowed, enable_gqa=True)
            state = layer.finish(state, mixed.transpose(1, 2).reshape(n, length, -1))
        last = state[torch.arange(n), lengths - 1]
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

    qkv: Matrix
    out: Matrix
    gate_up: Matrix
    down: Matrix
    norm_in: Tensor
    norm_mid: Tensor
    eps: float

    @classmethod
    def read(cls, tensors: Mapping[str, Tensor], prefix: str, shape: LlamaShape, form: NumberFormat) -> "_Layer":
        def matrix(*names: str) -> Matrix:
            return Matrix(torch.cat([tensors[f"{prefix}{name}.weight"] for name in names]), form)

        def norm(name: str) -> Tensor:
            return tensors[f"{prefix}{name}.weight"].to(form.dtype)

        return cls(
            qkv=matrix("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            out=matrix("self_attn.o_proj"),
            gate_up=matrix("mlp.gate_proj", "mlp.up_proj"),
            down=matrix("mlp.down_proj"),
            norm_in=norm("input_layernorm"),
            norm_mid=norm("post_attention_layernorm"),
            eps=shape.norm_eps,
        )

    def _fused(self, state: Tensor, shape: LlamaShape) -> tuple[Tensor, Tensor, Tensor]:
        normed = rms_norm(state, (shape.width,), self.norm_in, self.eps)
        narrow = shape.n_kv_heads * shape.head_dim
        query, key, value = torch.split(self.qkv(normed), [shape.width, narrow, narrow], -1)
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
        state = state + self.out(mixed)
        normed = rms_norm(state, (state.shape[-1],), self.norm_mid, self.eps)
        gate, up = self.gate_up(normed).chunk(2, -1)
        return state + self.down(silu(gate) * up)
