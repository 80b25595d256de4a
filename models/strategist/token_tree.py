"""The branches that the grammar leaves to a batch of requests: levers, and the anchors that each may start from.

There are few of them, and which they are is known before anything is read, so all are read at once with the prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from models.strategist.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, MOVES, Anchor, Lever
from models.strategist.tokens import ANCHORS, LEVERS


@dataclass(frozen=True, slots=True)
class StrategyTree:
    """Branches of `n` requests, as many in each as the request with the most has; those beyond its own mean nothing.

    Attributes:
        lever_mask: Levers that are possible, `(n, LEVERS)`.
        lever: Lever of each branch, `(n, levers)`: the possible ones first.
        anchor_mask: Anchors that each branch may start from, `(n, levers, ANCHORS)`.
        branch: Branch that each pair of lever and anchor belongs to, `(n, pairs)`.
        anchor: Anchor of each pair, `(n, pairs)`.
    """

    lever_mask: Tensor
    lever: Tensor
    anchor_mask: Tensor
    branch: Tensor
    anchor: Tensor

    @classmethod
    def of(cls, possible: Sequence[tuple[frozenset[Lever], frozenset[Anchor]]]) -> "StrategyTree":
        """From each request's levers whose data exist and anchors that are known; to hold is always possible."""
        known = torch.tensor([[anchor in anchors for anchor in ANCHORS] for _, anchors in possible])
        by_lever = _ANCHOR_MASKS & known[:, None]  # (n, LEVERS, ANCHORS)
        wanted = torch.tensor([[lever in levers for lever in LEVERS] for levers, _ in possible])
        lever_mask = wanted & by_lever.any(-1)
        by_lever[:, _HOLD] = _ANCHOR_MASKS[_HOLD]
        lever_mask[:, _HOLD] = True
        lever = _first(lever_mask)
        anchor_mask = by_lever[torch.arange(len(possible))[:, None], lever]
        pair = _first((anchor_mask & lever_mask.gather(1, lever)[..., None]).flatten(1))
        anchor_mask |= ~anchor_mask.any(-1, keepdim=True)  # of barred levers: keep their softmax defined
        return cls(lever_mask, lever, anchor_mask, pair // len(ANCHORS), pair % len(ANCHORS))

    def pairs(self, anchor: Tensor) -> Tensor:
        """Which pair each branch is with the anchor chosen for it, `(n, levers)`; any one for those that are barred."""
        same = (self.branch[:, None] == torch.arange(self.lever.shape[1])[None, :, None]) & (
            self.anchor[:, None] == anchor[..., None]
        )  # (n, levers, pairs)
        return same.int().argmax(-1)


def _first(mask: Tensor) -> Tensor:
    """Positions that are set, in order, `(n, most of a row)`; others follow where a row has fewer."""
    return torch.argsort(mask.int(), dim=1, descending=True, stable=True)[:, : int(mask.sum(1).max())]


_HOLD: Final = LEVERS.index(Lever.HOLD)
_ANCHOR_MASKS: Final = torch.tensor([[anchor in ALLOWED_ANCHORS[lever] for anchor in ANCHORS] for lever in LEVERS])
MOVE_MASKS: Final = torch.tensor([[move in ALLOWED_MOVES[lever] for move in MOVES] for lever in LEVERS])
