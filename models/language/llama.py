"""First layers of a Llama-style language model, for short prompts and very short answers.

A plain-torch forward pass with a key-value cache and an explicit attention mask, so that the same code serves a prompt,
the next token of a text, and all branches of a tree of continuations in one pass (tree attention: Miao et al. 2023,
SpecInfer). Tests compare the outputs with transformers' `LlamaModel`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from models.language.matrix import Matrix, NumberFormat

_EXACT: Final = NumberFormat(torch.float32)


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """Dimensions of the model (SmolLM2-135M: width 576, 9 query heads, 3 key-value heads)."""

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


class KeyValueCache:
    """Key-value cache of `n` rows with up to `capacity` tokens each, updated in place.

    Attributes:
        tensor: `(n_layers, 2, n, n_kv_heads, capacity, head_dim)`, keys first; zeros beyond `filled`.
        filled: Tokens cached in every row, padding included; lowering it discards the tokens behind.
    """

    def __init__(self, shape: LlamaShape, n: int, capacity: int, dtype: torch.dtype) -> None:
        """Allocate an empty cache."""
        self.tensor = torch.zeros(shape.n_layers, 2, n, shape.n_kv_heads, capacity, shape.head_dim, dtype=dtype)
        self.filled = 0


@dataclass(frozen=True, slots=True)
class TokenLayout:
    """Positions, attention and outputs of a batch of `t` new tokens per row.

    Attributes:
        positions: Rotary position of each token, `(n, t)`.
        mask: Cached and new tokens that each new token attends to, `(n, t, filled + t)`; each attends to itself.
        outputs: Indices of the tokens whose states are returned, `(n, n_outputs)`.
    """

    positions: Tensor
    mask: Tensor
    outputs: Tensor


class LlamaLayers:
    """Forward pass over the first layers."""

    def __init__(self, tensors: Mapping[str, Tensor], shape: LlamaShape, number_format: NumberFormat = _EXACT) -> None:
        """Convert tensors named as in transformers (`layers.0.self_attn.q_proj.weight`, ..., `norm.weight`)."""
        self.shape = shape
        self.number_format = number_format
        self._embedding = tensors["embed_tokens.weight"]
        self._norm = tensors["norm.weight"].to(number_format.dtype)
        self._layers = [
            _Layer.load(tensors, f"layers.{index}.", shape, number_format) for index in range(shape.n_layers)
        ]
        exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
        self._frequencies = shape.rope_theta**-exponents

    @property
    def dtype(self) -> torch.dtype:
        """Type of the hidden states."""
        return self.number_format.dtype

    def embed(self, ids: Tensor) -> Tensor:
        """Embed token ids `(...)` as inputs `(..., width)`."""
        return self._embedding[ids].to(self.dtype)

    def new_cache(self, n: int, capacity: int) -> KeyValueCache:
        """Allocate a cache of `n` rows with `capacity` tokens each."""
        return KeyValueCache(self.shape, n, capacity, self.dtype)

    def forward(self, inputs: Tensor, layout: TokenLayout, cache: KeyValueCache) -> Tensor:
        """Process `t` new tokens per row, `(n, t, width)`, and cache them; returns states `(n, n_outputs, width)`."""
        rows = torch.arange(len(inputs))[:, None]
        shape, start, end = self.shape, cache.filled, cache.filled + inputs.shape[1]
        cos, sin = self._rotation(layout.positions)
        state, mask = inputs, layout.mask
        for layer, (keys, values) in zip(self._layers, cache.tensor, strict=True):
            query, key, values[:, :, start:end] = layer.project(state, shape)
            query, keys[:, :, start:end] = _rotate(query, cos, sin), _rotate(key, cos, sin)
            if layer is self._layers[-1]:  # only the outputs are needed after the last layer's keys and values
                query, state = query[rows, :, layout.outputs].transpose(1, 2), state[rows, layout.outputs]
                mask = mask[rows, layout.outputs]
            state = layer.finish(state, _attend(query, keys[:, :, :end], values[:, :, :end], mask))
        cache.filled = end
        return rms_norm(state, (shape.width,), self._norm, shape.norm_eps)

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        angles = positions.float()[..., None] * self._frequencies  # (n, t, head_dim / 2)
        angles = torch.cat([angles, angles], -1)[:, None]  # (n, 1, t, head_dim)
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)


def _attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Grouped-query attention, heads concatenated, `(n, t, width)`.

    Query heads that share a key head are laid out as further tokens, so that no key is copied.
    """
    n, heads, t, head_dim = query.shape
    groups = heads // keys.shape[1]
    grouped_mask = mask.repeat(1, groups, 1)[:, None]  # (n, 1, groups * t, filled)
    grouped_query = query.reshape(n, -1, groups * t, head_dim)
    mixed = scaled_dot_product_attention(grouped_query, keys, values, attn_mask=grouped_mask)
    return mixed.view(n, heads, t, head_dim).transpose(1, 2).reshape(n, t, -1)


def _rotate(vectors: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = vectors.shape[-1] // 2
    turned = torch.cat([-vectors[..., half:], vectors[..., :half]], -1)
    return vectors * cos + turned * sin


@dataclass(slots=True)
class _Layer:
    """Weights of one decoder layer; projections with the same input are fused."""

    qkv: Matrix
    out: Matrix
    gate_up: Matrix
    down: Matrix
    norm_in: Tensor
    norm_mid: Tensor
    eps: float

    @classmethod
    def load(
        cls, tensors: Mapping[str, Tensor], prefix: str, shape: LlamaShape, number_format: NumberFormat
    ) -> "_Layer":
        def matrix(*names: str) -> Matrix:
            return Matrix(torch.cat([tensors[f"{prefix}{name}.weight"] for name in names]), number_format)

        def norm(name: str) -> Tensor:
            return tensors[f"{prefix}{name}.weight"].to(number_format.dtype)

        return cls(
            qkv=matrix("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            out=matrix("self_attn.o_proj"),
            gate_up=matrix("mlp.gate_proj", "mlp.up_proj"),
            down=matrix("mlp.down_proj"),
            norm_in=norm("input_layernorm"),
            norm_mid=norm("post_attention_layernorm"),
            eps=shape.norm_eps,
        )

    def project(self, state: Tensor, shape: LlamaShape) -> tuple[Tensor, Tensor, Tensor]:
        """Compute queries, keys and values, `(n, heads, t, head_dim)` each."""
        normed = rms_norm(state, (shape.width,), self.norm_in, self.eps)
        narrow = shape.n_kv_heads * shape.head_dim
        query, key, value = torch.split(self.qkv(normed), [shape.width, narrow, narrow], -1)
        heads = (*state.shape[:2], -1, shape.head_dim)
        query, key, value = (part.reshape(heads).transpose(1, 2) for part in (query, key, value))
        return query, key, value

    def finish(self, state: Tensor, mixed: Tensor) -> Tensor:
        """Apply the output projection and the feed-forward block, both with residual connections."""
        state = state + self.out(mixed)
        normed = rms_norm(state, (state.shape[-1],), self.norm_mid, self.eps)
        gate, up = self.gate_up(normed).chunk(2, -1)
        return state + self.down(silu(gate) * up)
