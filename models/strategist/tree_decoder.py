"""Tree decoding: one forward pass over a batch of prompts and all branches of their token trees.

The longest cached prefix of a prompt comes from the prefix cache. The rest of the prompt, the allowed levers and their
anchors follow in the same pass, each attending to the prompt and to its own branch; a second pass covers the moves.
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
from models.strategist.token_tree import TokenTree
from models.strategist.tokens import ANCHOR_AT, LEVER_AT, MOVE_AT

MAX_PROMPT_TOKENS: Final = 160


@dataclass(frozen=True, slots=True)
class TreeStates:
    """Hidden states of the first pass, and what the second pass needs.

    Attributes:
        prompt: At the end of each prompt, `(n, width)`.
        levers: After each branch's lever, `(n, levers, width)`.
        pairs: After each pair's anchor, `(n, pairs, width)`.
        tree: The token trees.
        cache: Keys and values of prompts, then trees, padding included.
        prompt_mask: Cached prompt positions that hold a token, `(n, prompt)`.
        lengths: Tokens of each prompt, `(n, 1)`.
    """

    prompt: Tensor
    levers: Tensor
    pairs: Tensor
    tree: TokenTree
    cache: KeyValueCache
    prompt_mask: Tensor
    lengths: Tensor


class TreeDecoder:
    """Runs the strategist's language model; not safe for concurrent use."""

    def __init__(self, layers: LlamaLayers, embedding: Tensor, tokenizer: Tokenizer) -> None:
        """Use the language model, the strategy tokens' embedding `(VOCABULARY, width)` and a tokenizer."""
        self._layers = layers
        self._embedding = embedding.to(layers.dtype)
        self._tokenizer = tokenizer
        self._prefixes = PrefixCache()

    def decode_tree(self, prompts: Sequence[str], tree: TokenTree, k: int) -> TreeStates:
        """Process prompts and their trees; the cache leaves room for `k` moves per prompt."""
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
        cached, lengths = torch.tensor(known)[:, None], torch.tensor([len(one) for one in ids])[:, None]
        old, new = torch.arange(before) < cached, torch.arange(rest) < lengths - cached
        inputs = [self._layers.embed(unread), self._embed(LEVER_AT, tree.lever), self._embed(ANCHOR_AT, tree.anchor)]
        positions = [cached + torch.arange(rest), lengths.expand(-1, n_levers), (lengths + 1).expand(-1, n_pairs)]
        outputs = [lengths - cached - 1, torch.arange(rest, rest + n_levers + n_pairs).expand(len(ids), -1)]
        layout = TokenLayout(torch.cat(positions, 1), _attention_mask(old, new, tree), torch.cat(outputs, 1))
        states = self._layers.forward(torch.cat(inputs, 1), layout, cache)
        for row, (one, has) in enumerate(zip(ids, known, strict=True)):
            self._prefixes.store(cache, row, one, has, before)
        prompt, levers, pairs = states.split([1, n_levers, n_pairs], 1)
        return TreeStates(prompt[:, 0], levers, pairs, tree, cache, torch.cat([old, new], 1), lengths)

    def decode_moves(self, states: TreeStates, branch: Tensor, pair: Tensor, move: Tensor) -> Tensor:
        """Compute states `(n, k, width)` after moves, each following a branch and one of its pairs, `(n, k)` each."""
        n, k = move.shape
        mask = [
            states.prompt_mask[:, None].expand(-1, k, -1),
            one_hot(branch, states.tree.lever.shape[1]).bool(),
            one_hot(pair, states.tree.anchor.shape[1]).bool(),
            torch.eye(k, dtype=torch.bool).expand(n, -1, -1),
        ]
        outputs = torch.arange(k).expand(n, -1)
        layout = TokenLayout((states.lengths + 2).expand(-1, k), torch.cat(mask, 2), outputs)
        return self._layers.forward(self._embed(MOVE_AT, move), layout, states.cache)

    def _embed(self, first: int, words: Tensor) -> Tensor:
        return self._embedding[first + words]


def _attention_mask(old: Tensor, new: Tensor, tree: TokenTree) -> Tensor:
    """Attention of uncached prompt tokens and tree tokens, `(n, rest + tree, before + rest + tree)`.

    Args:
        old: Cached prefix positions that hold a token, `(n, before)`.
        new: Positions of the rest of the prompts that hold a token, `(n, rest)`.
        tree: The token trees; a pair attends to its lever.
    """
    n, rest = new.shape
    begin, size = old.shape[1] + rest, tree.lever.shape[1] + tree.anchor.shape[1]
    mask = torch.zeros(n, rest + size, begin + size, dtype=torch.bool)
    mask[:, :, : old.shape[1]] = old[:, None]
    mask[:, :rest, old.shape[1] : begin] = torch.ones(rest, rest, dtype=torch.bool).tril()
    mask[:, rest:, old.shape[1] : begin] = new[:, None]
    mask[:, rest:, begin:] = torch.eye(size, dtype=torch.bool)
    levers = tree.lever.shape[1]
    mask[:, rest + levers :, begin : begin + levers] = one_hot(tree.branch, levers).bool()
    return mask
