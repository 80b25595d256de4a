"""The first layers of a Llama-style language model, for short prompts and very short answers.

A plain-torch forward pass over tokens that attend to what was read before and to each other as a mask says, so that a
prompt, the next token of a text, and all branches of a tree of continuations at once are read by the same code (tree
attention: Miao et al. 2023, SpecInfer). Weights are read once from safetensors; tests hold the outputs against
transformers' `LlamaModel`.
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


class KeyValues:
    """Keys and values of the tokens read so far, in place: `n` rows of up to `capacity` tokens each.

    Attributes:
        tensor: `(n_layers, 2, n, n_kv_heads, capacity, head_dim)`, keys first; zeros where nothing was read.
        filled: Tokens read in every row, pads included; a lower number forgets those behind it.
    """

    def __init__(self, shape: LlamaShape, n: int, capacity: int, dtype: torch.dtype) -> None:
        """Nothing read yet."""
        self.tensor = torch.zeros(shape.n_layers, 2, n, shape.n_kv_heads, capacity, shape.head_dim, dtype=dtype)
        self.filled = 0


@dataclass(frozen=True, slots=True)
class Places:
    """Where tokens to be read stand.

    Attributes:
        positions: Place of each in its text, `(n, t)`.
        allowed: Which of what was read before, and of these, each token sees, `(n, t, filled + t)`; each sees itself.
        wanted: Which of these a state is asked of, `(n, wanted)`.
    """

    positions: Tensor
    allowed: Tensor
    wanted: Tensor


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

    def empty(self, n: int, capacity: int) -> KeyValues:
        """Room for `capacity` tokens in each of `n` rows."""
        return KeyValues(self.shape, n, capacity, self.dtype)

    def read(self, inputs: Tensor, places: Places, memory: KeyValues) -> Tensor:
        """Read `t` more tokens `(n, t, width)` in each row and remember them; returns states `(n, wanted, width)`."""
        rows = torch.arange(len(inputs))[:, None]
        shape, start, end = self.shape, memory.filled, memory.filled + inputs.shape[1]
        cos, sin = self._rotation(places.positions)
        state, allowed = inputs, places.allowed
        for layer, (keys, values) in zip(self._layers, memory.tensor, strict=True):
            query, key, values[:, :, start:end] = layer.project(state, shape)
            query, keys[:, :, start:end] = _rotate(query, cos, sin), _rotate(key, cos, sin)
            if layer is self._layers[-1]:  # the others have said what they have to say
                query, state = query[rows, :, places.wanted].transpose(1, 2), state[rows, places.wanted]
                allowed = allowed[rows, places.wanted]
            state = layer.finish(state, _attend(query, keys[:, :, :end], values[:, :, :end], allowed))
        memory.filled = end
        return rms_norm(state, (shape.width,), self._norm, shape.norm_eps)

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        angles = positions.float()[..., None] * self._frequencies  # (n, t, head_dim / 2)
        angles = torch.cat([angles, angles], -1)[:, None]  # over heads
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)


def _attend(query: Tensor, keys: Tensor, values: Tensor, allowed: Tensor) -> Tensor:
    """What each token takes from those that it sees, heads joined, `(n, t, width)`.

    Queries that share a key stand beside each other as if they were further tokens, so that no key is copied.
    """
    n, heads, t, head_dim = query.shape
    groups = heads // keys.shape[1]
    mask = allowed.repeat(1, groups, 1)[:, None]  # (n, 1, groups * t, filled)
    mixed = scaled_dot_product_attention(query.reshape(n, -1, groups * t, head_dim), keys, values, attn_mask=mask)
    return mixed.view(n, heads, t, head_dim).transpose(1, 2).reshape(n, t, -1)


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

    def project(self, state: Tensor, shape: LlamaShape) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values `(n, heads, t, head_dim)`."""
        normed = rms_norm(state, (shape.width,), self.norm_in, self.eps)
        narrow = shape.n_kv_heads * shape.head_dim
        query, key, value = torch.split(self.qkv(normed), [shape.width, narrow, narrow], -1)
        heads = (*state.shape[:2], -1, shape.head_dim)
        query, key, value = (part.reshape(heads).transpose(1, 2) for part in (query, key, value))
        return query, key, value

    def finish(self, state: Tensor, mixed: Tensor) -> Tensor:
        """Output projection and the feed-forward block, both residual."""
        state = state + self.out(mixed)
        normed = rms_norm(state, (state.shape[-1],), self.norm_mid, self.eps)
        gate, up = self.gate_up(normed).chunk(2, -1)
        return state + self.down(silu(gate) * up)
