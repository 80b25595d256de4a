"""The strategist: a small causal language model that writes candidate strategies under a grammar.

A strategy is four tokens of an added vocabulary of 79: lever, anchor, move, rounding. Decoding is a deterministic
search in which each step may only write tokens that `models.strategist.strategy` allows, so every output is valid. The
eight candidates are distinct: each allowed lever gives its best move first, and further moves of the likeliest
levers, at least `MOVE_GAP_PCT` apart, fill the rest. The prompt's numbers are also read as values, and
what they say joins what the language model says (`models.strategist.numeric_head`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from models.errors import RegistryError
from models.language.llama import LlamaLayers, LlamaShape
from models.language.matrix import NumberFormat
from models.strategist.numeric_head import NumberReader, read_values
from models.strategist.strategy import MOVES, Anchor, Lever, Rounding, Strategy
from models.strategist.token_tree import MOVE_MASKS, StrategyTree
from models.strategist.tokens import (
    ANCHOR_SLOT,
    ANCHORS,
    LEVER_SLOT,
    LEVERS,
    MOVE_SLOT,
    ROUNDING_SLOT,
    ROUNDINGS,
    VOCABULARY,
)
from models.strategist.tree_decoder import StrategyReader

MOVE_GAP_PCT: Final = 3
SMOLLM2_SHAPE: Final = LlamaShape(
    width=576, n_layers=4, n_heads=9, n_kv_heads=3, intermediate=1536, rope_theta=100_000.0, norm_eps=1e-5
)


@dataclass(frozen=True, slots=True)
class ProposalRequest:
    """A rendered prompt, and what this request makes possible: levers whose data exist, anchors that are known."""

    prompt: str
    levers: frozenset[Lever]
    anchors: frozenset[Anchor]


@dataclass(frozen=True, slots=True)
class Written:
    """A strategy and how the model ranks it.

    The score is the lever's log-probability less what the move falls short of the lever's likeliest. Trained on
    softmax(worth / 1 %), a difference of 1 is an expected difference of one percent in worth; a plain log-probability
    would favour levers with few moves, whose single move takes all of the mass.
    """

    strategy: Strategy
    score: float


class Strategist:
    """Generates strategies; threads take turns."""

    def __init__(
        self, layers: LlamaLayers, heads: dict[str, Tensor], numbers: NumberReader, tokenizer: Tokenizer, version: str
    ) -> None:
        """Take the language model, `embedding` and `head` `(VOCABULARY, width)` of the strategy tokens, a tokenizer."""
        self._reader = StrategyReader(layers, heads["embedding"], tokenizer)
        self._head = heads["head"].float()
        self._numbers = numbers
        self.version = version
        self._turn = Lock()

    def propose(self, requests: Sequence[ProposalRequest], k: int = 8) -> list[list[Written]]:
        """Up to `k` distinct strategies a request, best first; fewer only when the grammar allows fewer."""
        with self._turn, torch.inference_mode():
            return self._propose(requests, k)

    def _propose(self, requests: Sequence[ProposalRequest], k: int) -> list[list[Written]]:
        prompts = [request.prompt for request in requests]
        values, rows = read_values(prompts), torch.arange(len(requests))[:, None]
        tree = StrategyTree.of([(request.levers, request.anchors) for request in requests])
        read = self._reader.branches(prompts, tree, k)
        nothing = torch.full((len(requests), 1), -1)
        numbers = self._numbers(values, nothing, nothing)[:, 0]
        lever_scores = self._shares(read.prompt, numbers, LEVER_SLOT, tree.lever_mask)  # (n, LEVERS); barred: -inf
        numbers = self._numbers(values, tree.lever, torch.full_like(tree.lever, -1))
        anchor = self._shares(read.levers, numbers, ANCHOR_SLOT, tree.anchor_mask).argmax(-1)  # (n, levers)
        pair = tree.pairs(anchor)
        numbers = self._numbers(values, tree.lever, anchor)
        move_scores = self._shares(read.pairs[rows, pair], numbers, MOVE_SLOT, MOVE_MASKS[tree.lever])
        joint = lever_scores.gather(1, tree.lever)[..., None] + move_scores - move_scores.amax(-1, keepdim=True)
        branch, move, score = _choose(joint, k)  # (n, k) each
        rounding = self._said(self._reader.moves(read, branch, pair[rows, branch], move), ROUNDING_SLOT).argmax(-1)
        return _read(tree.lever[rows, branch], anchor[rows, branch], move, rounding, score)

    def _said(self, states: Tensor, slot: slice) -> Tensor:
        """The language model's logits of one slot's tokens."""
        return states.float() @ self._head[slot].T

    def _shares(self, states: Tensor, numbers: Tensor, slot: slice, mask: Tensor) -> Tensor:
        """Log-probabilities of one slot's tokens, the numbers' say joined, barred ones at -inf."""
        logits = self._numbers.join(self._said(states, slot), numbers, slot)
        return torch.log_softmax(logits.masked_fill(~mask, float("-inf")), -1)


def _choose(joint: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Distinct (branch, move) pairs `(n, k)`: every branch's best first, then further moves, well apart."""
    scores = joint.numpy()
    n, _, n_moves = scores.shape
    branches = np.zeros((n, k), np.int64)
    moves = np.zeros((n, k), np.int64)
    chosen = np.full((n, k), -np.inf, np.float32)
    for row in range(n):
        left = scores[row].copy()
        best = left.max(1)
        firsts = [branch for branch in np.argsort(-best, kind="stable")[:k] if np.isfinite(best[branch])]
        picks = [(int(branch), int(left[branch].argmax())) for branch in firsts]
        for branch, move in picks:
            left[branch, max(0, move - MOVE_GAP_PCT + 1) : move + MOVE_GAP_PCT] = -np.inf
        while len(picks) < k and np.isfinite(left.max()):
            branch, move = divmod(int(left.argmax()), n_moves)
            picks.append((branch, move))
            left[branch, max(0, move - MOVE_GAP_PCT + 1) : move + MOVE_GAP_PCT] = -np.inf
        for slot, (branch, move) in enumerate(picks):
            branches[row, slot], moves[row, slot], chosen[row, slot] = branch, move, scores[row, branch, move]
    return torch.from_numpy(branches), torch.from_numpy(moves), torch.from_numpy(chosen)


def _read(lever: Tensor, anchor: Tensor, move: Tensor, rounding: Tensor, score: Tensor) -> list[list[Written]]:
    written: list[list[Written]] = []
    for row in range(len(lever)):
        found: list[Written] = []
        for slot in range(lever.shape[1]):
            if not torch.isfinite(score[row, slot]):
                continue
            move_pct = MOVES[int(move[row, slot])]
            strategy = _strategy(
                LEVERS[int(lever[row, slot])],
                ANCHORS[int(anchor[row, slot])],
                move_pct,
                ROUNDINGS[int(rounding[row, slot])] if move_pct else Rounding.EXACT,
            )
            found.append(Written(strategy, float(score[row, slot])))
        written.append(sorted(found, key=lambda item: -item.score))
    return written


_strategy = cache(Strategy)  # some thousands are valid: what is kept of many prompts shares them


def load_strategist(folder: Path, version: str) -> Strategist:
    """Load the runtime folder that `models.strategist.export` writes.

    Raises:
        RegistryError: A tensor is missing or has another size than the grammar needs.
    """
    tensors = load_file(str(folder / "strategist.safetensors"))
    heads = {name: tensors.pop(f"strategy.{name}", torch.empty(0)) for name in ("embedding", "head")}
    if any(head.shape != (VOCABULARY, SMOLLM2_SHAPE.width) for head in heads.values()):
        raise RegistryError(
            f"{folder}: strategy tokens have shape {tuple(heads['head'].shape)}, the grammar needs "
            f"({VOCABULARY}, {SMOLLM2_SHAPE.width}); remedy: train the strategist again"
        )
    n_layers = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("layers."))
    shape = replace(SMOLLM2_SHAPE, n_layers=n_layers)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    numbers = NumberReader.load(folder)
    return Strategist(LlamaLayers(tensors, shape, NumberFormat.fast()), heads, numbers, tokenizer, version)
