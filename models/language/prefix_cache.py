"""Prefix cache: keys and values of prompt beginnings, shared by prompts that start with the same tokens.

The prompt template puts fields with few values first and numbers last, so most of a prompt is usually cached. Keys and
values are stored in blocks of tokens, each under all tokens up to its end (Kwon et al. 2023, PagedAttention; Zheng et
al. 2024, SGLang), with least-recently-used eviction.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from torch import Tensor

from models.language.llama import KeyValueCache

BLOCK: Final = 4
CAPACITY: Final = 1_024  # blocks: 25 MiB of the strategist's in float32


class PrefixCache:
    """LRU cache of prompt prefixes."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Start empty, for up to `capacity` blocks of `BLOCK` tokens."""
        self._capacity = capacity
        self._blocks: OrderedDict[tuple[int, ...], Tensor] = OrderedDict()

    def match_length(self, ids: Sequence[int]) -> int:
        """Length of the longest cached prefix; shorter than `ids`, since the last token's state is needed."""
        length = BLOCK
        while length < len(ids) and tuple(ids[:length]) in self._blocks:
            length += BLOCK
        return length - BLOCK

    def restore(self, cache: KeyValueCache, row: int, ids: Sequence[int]) -> None:
        """Copy a cached prefix, all of `ids`, to the start of a row of `cache`."""
        for end in range(len(ids), 0, -BLOCK):  # first block last, so that it is evicted after those that need it
            key = tuple(ids[:end])
            self._blocks.move_to_end(key)
            cache.tensor[:, :, row, :, end - BLOCK : end] = self._blocks[key]

    def store(self, cache: KeyValueCache, row: int, ids: Sequence[int], known: int, start: int) -> None:
        """Store the blocks of prompt `ids` from token `known` on, found in a row of `cache` from column `start` on."""
        for end in range(len(ids) // BLOCK * BLOCK, known, -BLOCK):
            column = start + end - known
            self._blocks[tuple(ids[:end])] = cache.tensor[:, :, row, :, column - BLOCK : column].clone()
        while len(self._blocks) > self._capacity:
            self._blocks.popitem(last=False)
