"""Token tree of a batch of requests: the levers that the grammar allows, and the anchors of each.

The tree is small and known before decoding, so all its branches are evaluated in one pass with the prompt (Miao et al.
2023, SpecInfer).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from models.strategist.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, MOVES, Anchor, Lever
from models.strategist.tokens import ANCHORS, LEVERS


@dataclass(frozen=True, slots=True)
class TokenTree:
    """Trees of `n` requests, padded to the size of the largest.

    Attributes:
        lever_mask: Allowed levers, `(n, LEVERS)`.
        lever: Lever of each branch, `(n, levers)`: allowed ones first, then padding.
        anchor_mask: Allowed anchors of each branch, `(n, levers, ANCHORS)`.
        branch: Branch of each pair of lever and anchor, `(n, pairs)`.
        anchor: Anchor of each pair, `(n, pairs)`.
    """

    lever_mask: Tensor
    lever: Tensor
    anchor_mask: Tensor
    branch: Tensor
    anchor: Tensor

    @classmethod
    def of(cls, possible: Sequence[tuple[frozenset[Lever], frozenset[Anchor]]]) -> "TokenTree":
        """Build from each request's levers and anchors; `Lever.HOLD` at the reference is always allowed."""
        known = torch.tensor([[anchor in anchors for anchor in ANCHORS] for _, anchors in possible])
        by_lever = _ANCHOR_MASKS & known[:, None]  # (n, LEVERS, ANCHORS)
        allowed = torch.tensor([[lever in levers for lever in LEVERS] for levers, _ in possible])
        lever_mask = allowed & by_lever.any(-1)
        by_lever[:, _HOLD] = _ANCHOR_MASKS[_HOLD]
        lever_mask[:, _HOLD] = True
        lever = _first(lever_mask)
        anchor_mask = by_lever[torch.arange(len(possible))[:, None], lever]
        pair = _first((anchor_mask & lever_mask.gather(1, lever)[..., None]).flatten(1))
        anchor_mask |= ~anchor_mask.any(-1, keepdim=True)  # padding branches: keep their softmax defined
        return cls(lever_mask, lever, anchor_mask, pair // len(ANCHORS), pair % len(ANCHORS))

    def pairs(self, anchor: Tensor) -> Tensor:
        """Index of the pair of each branch with its `anchor` `(n, levers)`; arbitrary for padding branches."""
        same = (self.branch[:, None] == torch.arange(self.lever.shape[1])[None, :, None]) & (
            self.anchor[:, None] == anchor[..., None]
        )  # (n, levers, pairs)
        return same.int().argmax(-1)


def _first(mask: Tensor) -> Tensor:
    """Indices of the set positions of each row, in order, padded with others to the longest row."""
    return torch.argsort(mask.int(), dim=1, descending=True, stable=True)[:, : int(mask.sum(1).max())]


_HOLD: Final = LEVERS.index(Lever.HOLD)
_ANCHOR_MASKS: Final = torch.tensor([[anchor in ALLOWED_ANCHORS[lever] for anchor in ANCHORS] for lever in LEVERS])
MOVE_MASKS: Final = torch.tensor([[move in ALLOWED_MOVES[lever] for move in MOVES] for lever in LEVERS])
