"""The strategist: a small causal language model that generates candidate strategies under a grammar.

A strategy is four tokens of an added vocabulary of 79: lever, anchor, move, rounding. Decoding is a deterministic
search over the tokens that `models.strategist.strategy` allows, so every output is valid. The candidates are distinct:
first the best move of each allowed lever, then further moves of the likeliest levers, at least `MOVE_GAP_PCT` apart.
A numeric head (`models.strategist.numeric_head`) reads the prompt's numbers as values and adds its own logits.
"""

from collections.abc import Sequence
from dataclasses import replace
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
from models.strategist.numeric_head import NumericHead, numeric_features
from models.strategist.proposals import ProposalRequest, Written, shared_strategy
from models.strategist.strategy import MOVES, Rounding
from models.strategist.token_tree import MOVE_MASKS, TokenTree
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
from models.strategist.tree_decoder import TreeDecoder

MOVE_GAP_PCT: Final = 3
SMOLLM2_SHAPE: Final = LlamaShape(
    width=576, n_layers=4, n_heads=9, n_kv_heads=3, intermediate=1536, rope_theta=100_000.0, norm_eps=1e-5
)


class Strategist:
    """Generates strategies; safe for concurrent use, one batch at a time."""

    def __init__(
        self, layers: LlamaLayers, heads: dict[str, Tensor], numbers: NumericHead, tokenizer: Tokenizer, version: str
    ) -> None:
        """Use the given parts; `heads` are `embedding` and `head` `(VOCABULARY, width)` of the strategy tokens."""
        self._decoder = TreeDecoder(layers, heads["embedding"], tokenizer)
        self._head = heads["head"].float()
        self._numbers = numbers
        self.version = version
        self._lock = Lock()

    def propose(self, requests: Sequence[ProposalRequest], k: int = 8) -> list[list[Written]]:
        """Propose up to `k` distinct strategies per request, best first; fewer only if the grammar allows fewer."""
        with self._lock, torch.inference_mode():
            return self._propose(requests, k)

    def _propose(self, requests: Sequence[ProposalRequest], k: int) -> list[list[Written]]:
        prompts = [request.prompt for request in requests]
        values, rows = numeric_features(prompts), torch.arange(len(requests))[:, None]
        tree = TokenTree.of([(request.levers, request.anchors) for request in requests])
        states = self._decoder.decode_tree(prompts, tree, k)
        none = torch.full((len(requests), 1), -1)
        numbers = self._numbers(values, none, none)[:, 0]
        lever_scores = self._log_probabilities(states.prompt, numbers, LEVER_SLOT, tree.lever_mask)  # (n, LEVERS)
        numbers = self._numbers(values, tree.lever, torch.full_like(tree.lever, -1))
        anchor = self._log_probabilities(states.levers, numbers, ANCHOR_SLOT, tree.anchor_mask).argmax(-1)
        pair = tree.pairs(anchor)
        numbers = self._numbers(values, tree.lever, anchor)
        move_scores = self._log_probabilities(states.pairs[rows, pair], numbers, MOVE_SLOT, MOVE_MASKS[tree.lever])
        joint = lever_scores.gather(1, tree.lever)[..., None] + move_scores - move_scores.amax(-1, keepdim=True)
        branch, move, score = _choose(joint, k)  # (n, k) each
        after_move = self._decoder.decode_moves(states, branch, pair[rows, branch], move)
        rounding = self._token_logits(after_move, ROUNDING_SLOT).argmax(-1)
        return _strategies(tree.lever[rows, branch], anchor[rows, branch], move, rounding, score)

    def _token_logits(self, states: Tensor, slot: slice) -> Tensor:
        """Compute the language model's logits of one slot's tokens."""
        return states.float() @ self._head[slot].T

    def _log_probabilities(self, states: Tensor, numbers: Tensor, slot: slice, mask: Tensor) -> Tensor:
        """Compute log-probabilities of one slot's tokens with the numeric head's logits added; -inf where masked."""
        logits = self._numbers.combine(self._token_logits(states, slot), numbers, slot)
        return torch.log_softmax(logits.masked_fill(~mask, float("-inf")), -1)


def _choose(joint: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Choose distinct (branch, move) pairs `(n, k)`: each branch's best, then further moves `MOVE_GAP_PCT` apart."""
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


def _strategies(lever: Tensor, anchor: Tensor, move: Tensor, rounding: Tensor, score: Tensor) -> list[list[Written]]:
    """Build strategies, best first, from token indices `(n, k)`; those with an infinite score are dropped."""
    written: list[list[Written]] = []
    for row in range(len(lever)):
        found: list[Written] = []
        for slot in range(lever.shape[1]):
            if not torch.isfinite(score[row, slot]):
                continue
            move_pct = MOVES[int(move[row, slot])]
            strategy = shared_strategy(
                LEVERS[int(lever[row, slot])],
                ANCHORS[int(anchor[row, slot])],
                move_pct,
                ROUNDINGS[int(rounding[row, slot])] if move_pct else Rounding.EXACT,
            )
            found.append(Written(strategy, float(score[row, slot])))
        written.append(sorted(found, key=lambda item: -item.score))
    return written


def load_strategist(folder: Path, version: str) -> Strategist:
    """Load the runtime folder that `models.strategist.export` writes.

    Raises:
        RegistryError: A tensor is missing, or its size does not match the grammar.
    """
    tensors = load_file(str(folder / "strategist.safetensors"))
    heads = {name: tensors.pop(f"strategy.{name}", torch.empty(0)) for name in ("embedding", "head")}
    if any(head.shape != (VOCABULARY, SMOLLM2_SHAPE.width) for head in heads.values()):
        raise RegistryError(
            f"{folder}: strategy tokens have shape {tuple(heads['head'].shape)}; expected: "
            f"({VOCABULARY}, {SMOLLM2_SHAPE.width}); remedy: train the strategist again"
        )
    n_layers = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("layers."))
    shape = replace(SMOLLM2_SHAPE, n_layers=n_layers)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    numbers = NumericHead.load(folder)
    return Strategist(LlamaLayers(tensors, shape, NumberFormat.fast()), heads, numbers, tokenizer, version)
