"""What the beginnings of prompts come to, so that prompts which begin alike are read from where they differ.

Prompts of one template name the shop's few states first and their own numbers last: most of a prompt was read before.
Keys and values are kept in blocks of tokens, each under all tokens up to its end (Kwon et al. 2023, PagedAttention;
Zheng et al. 2024, SGLang), the least recently used going first.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from torch import Tensor

from models.language.llama import KeyValues

BLOCK: Final = 4
CAPACITY: Final = 1_024  # blocks: 25 MiB of the strategist's in float32


class PrefixCache:
    """Keys and values of the beginnings of prompts."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Keep up to `capacity` blocks of `BLOCK` tokens."""
        self._capacity = capacity
        self._blocks: OrderedDict[tuple[int, ...], Tensor] = OrderedDict()

    def known(self, ids: Sequence[int]) -> int:
        """How many tokens at the beginning are known, at least one at the end being left to read."""
        length = BLOCK
        while length < len(ids) and tuple(ids[:length]) in self._blocks:
            length += BLOCK
        return length - BLOCK

    def fill(self, memory: KeyValues, row: int, ids: Sequence[int]) -> None:
        """Put tokens that are known, `ids` whole, at the start of a row."""
        for end in range(len(ids), 0, -BLOCK):  # the beginning last: it outlives what follows it
            key = tuple(ids[:end])
            self._blocks.move_to_end(key)
            memory.tensor[:, :, row, :, end - BLOCK : end] = self._blocks[key]

    def keep(self, memory: KeyValues, row: int, ids: Sequence[int], known: int, start: int) -> None:
        """Remember a prompt, `ids` whole, of which a row holds the tokens from number `known` on at place `start`."""
        for end in range(len(ids) // BLOCK * BLOCK, known, -BLOCK):
            place = start + end - known
            self._blocks[tuple(ids[:end])] = memory.tensor[:, :, row, :, place - BLOCK : place].clone()
        while len(self._blocks) > self._capacity:
            self._blocks.popitem(last=False)
