"""The strategist's language model at work: a batch of prompts and all branches of their trees in one pass.

A prompt's beginning is taken from the prefix cache as far as it was read before. What is left of it, the possible
levers and their anchors follow, each seeing the prompt and the branch that leads to it; a second pass reads the moves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import one_hot

from models.language.llama import KeyValueCache, LlamaLayers, TokenLayout
from models.language.prefix_cache import PrefixCache
from models.strategist.token_tree import StrategyTree
from models.strategist.tokens import ANCHOR_AT, LEVER_AT, MOVE_AT

MAX_PROMPT_TOKENS: Final = 160


@dataclass(frozen=True, slots=True)
class Branches:
    """States where the next word is chosen, and what a further pass needs.

    Attributes:
        prompt: At the prompts' ends, `(n, width)`.
        levers: After each branch's lever, `(n, levers, width)`.
        pairs: After each pair's anchor, `(n, pairs, width)`.
        tree: The branches.
        cache: What was read, pads included: first the prompts, then the tree.
        seen: Which of it are prompt, `(n, prompt)`.
        lengths: Tokens of each prompt, `(n, 1)`.
    """

    prompt: Tensor
    levers: Tensor
    pairs: Tensor
    tree: StrategyTree
    cache: KeyValueCache
    seen: Tensor
    lengths: Tensor


class StrategyReader:
    """Reads prompts and strategies; one thread at a time."""

    def __init__(self, layers: LlamaLayers, embedding: Tensor, tokenizer: Tokenizer) -> None:
        """Take the language model, the `(VOCABULARY, width)` embedding of the strategy tokens and a tokenizer."""
        self._layers = layers
        self._embedding = embedding.to(layers.dtype)
        self._tokenizer = tokenizer
        self._prefixes = PrefixCache()

    def branches(self, prompts: Sequence[str], tree: StrategyTree, k: int) -> Branches:
        """Read prompts and their trees; room is left for `k` moves each."""
        ids = [encoding.ids[-MAX_PROMPT_TOKENS:] for encoding in self._tokenizer.encode_batch(list(prompts))]
        known = [self._prefixes.match_length(one) for one in ids]
        before, rest = max(known), max(len(one) - has for one, has in zip(ids, known, strict=True))
        n_levers, n_pairs = tree.lever.shape[1], tree.anchor.shape[1]
        cache = self._layers.new_cache(len(ids), before + rest + n_levers + n_pairs + k)
        unread = torch.zeros(len(ids), rest, dtype=torch.long)
        for row, (one, has) in enumerate(zip(ids, known, strict=True)):
            self._prefixes.restore(cache, row, one[:has])
            unread[row, : len(one) - has] = torch.tensor(one[has:])
        cache.filled = before
        begun, lengths = torch.tensor(known)[:, None], torch.tensor([len(one) for one in ids])[:, None]
        old, new = torch.arange(before) < begun, torch.arange(rest) < lengths - begun
        inputs = [self._layers.embed(unread), self._embed(LEVER_AT, tree.lever), self._embed(ANCHOR_AT, tree.anchor)]
        positions = [begun + torch.arange(rest), lengths.expand(-1, n_levers), (lengths + 1).expand(-1, n_pairs)]
        ends = [lengths - begun - 1, torch.arange(rest, rest + n_levers + n_pairs).expand(len(ids), -1)]
        layout = TokenLayout(torch.cat(positions, 1), _sight(old, new, tree), torch.cat(ends, 1))
        states = self._layers.forward(torch.cat(inputs, 1), layout, cache)
        for row, (one, has) in enumerate(zip(ids, known, strict=True)):
            self._prefixes.store(cache, row, one, has, before)
        prompt, levers, pairs = states.split([1, n_levers, n_pairs], 1)
        return Branches(prompt[:, 0], levers, pairs, tree, cache, torch.cat([old, new], 1), lengths)

    def moves(self, read: Branches, branch: Tensor, pair: Tensor, move: Tensor) -> Tensor:
        """States `(n, k, width)` after moves, each `(n, k)` behind a branch and a pair of it."""
        n, k = move.shape
        allowed = [
            read.seen[:, None].expand(-1, k, -1),
            one_hot(branch, read.tree.lever.shape[1]).bool(),
            one_hot(pair, read.tree.anchor.shape[1]).bool(),
            torch.eye(k, dtype=torch.bool).expand(n, -1, -1),
        ]
        everyone = torch.arange(k).expand(n, -1)
        layout = TokenLayout((read.lengths + 2).expand(-1, k), torch.cat(allowed, 2), everyone)
        return self._layers.forward(self._embed(MOVE_AT, move), layout, read.cache)

    def _embed(self, first: int, words: Tensor) -> Tensor:
        return self._embedding[first + words]


def _sight(old: Tensor, new: Tensor, tree: StrategyTree) -> Tensor:
    """What the rest of each prompt and its tree see, `(n, rest + tree, before + rest + tree)`.

    Args:
        old: Which of the positions of known beginnings hold a token, `(n, before)`.
        new: The same of the rest, `(n, rest)`.
        tree: The branches; a pair sees its lever.
    """
    n, rest = new.shape
    begin, size = old.shape[1] + rest, tree.lever.shape[1] + tree.anchor.shape[1]
    allowed = torch.zeros(n, rest + size, begin + size, dtype=torch.bool)
    allowed[:, :, : old.shape[1]] = old[:, None]
    allowed[:, :rest, old.shape[1] : begin] = torch.ones(rest, rest, dtype=torch.bool).tril()
    allowed[:, rest:, old.shape[1] : begin] = new[:, None]
    allowed[:, rest:, begin:] = torch.eye(size, dtype=torch.bool)
    levers = tree.lever.shape[1]
    allowed[:, rest + levers :, begin : begin + levers] = one_hot(tree.branch, levers).bool()
    return allowed
