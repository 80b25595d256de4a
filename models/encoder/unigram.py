"""Unigram tokenizer (Kudo 2018) with a compact vocabulary.

`tokenizers` keeps 250,000 pieces as a trie of hash maps, 280 MB in every process; a dictionary takes a sixth. Only the
search over pieces is done here: normaliser and splitting into words stay the library's.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer

_WORDS: Final = 20_000  # whose pieces are remembered
_UNKNOWN: Final = 10.0  # below the least score, as sentencepiece has it


class UnigramTokenizer:
    """Maps texts to ids, as `tokenizers` does with the same file; special tokens in a text are text."""

    def __init__(self, content: dict[str, Any], max_tokens: int) -> None:
        """Take the content of `tokenizer.json`, of which the vocabulary is taken out; see `is_unigram`."""
        model = content["model"]
        vocabulary, self._unknown = model["vocab"], model["unk_id"]
        scores = np.asarray([score for _, score in vocabulary], np.float64)
        special = {token["content"] for token in content.get("added_tokens", []) if token["special"]}
        self._piece_ids = {piece: number for number, (piece, _) in enumerate(vocabulary) if piece not in special}
        self._scores: list[float] = scores.tolist()
        self._longest = max(map(len, self._piece_ids))
        self._unknown_score = float(scores.min()) - _UNKNOWN
        model["vocab"] = vocabulary[: self._unknown + 1]
        library = Tokenizer.from_str(json.dumps(content))
        self._normalizer, self._splitter = library.normalizer, library.pre_tokenizer
        self._before, self._after = _around(content["post_processor"])
        self._room = max_tokens - len(self._before) - len(self._after)
        self._pieces = lru_cache(_WORDS)(self._search)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, cut to the most tokens."""
        if self._normalizer is not None:
            text = self._normalizer.normalize_str(text)
        found: list[int] = []
        for word, _ in self._splitter.pre_tokenize_str(text):
            found += self._pieces(word)
            if len(found) >= self._room:
                break
        return [*self._before, *found[: self._room], *self._after]

    def _search(self, word: str) -> tuple[int, ...]:
        """Ids of the most probable pieces of a word, by dynamic programming; neighbouring unknown pieces are one."""
        size = len(word)
        best, came_from, ids = [0.0] + [-inf] * size, [0] * (size + 1), [self._unknown] * (size + 1)
        for start in range(size):
            for end in range(start + 1, min(size, start + self._longest) + 1):
                piece = self._piece_ids.get(word[start:end])
                if piece is not None:
                    score = best[start] + self._scores[piece]
                elif end == start + 1:
                    piece, score = self._unknown, best[start] + self._unknown_score
                else:
                    continue
                if score > best[end]:
                    best[end], came_from[end], ids[end] = score, start, piece
        found: list[int] = []
        at = size
        while at > 0:
            if not (found and found[-1] == ids[at] == self._unknown):
                found.append(ids[at])
            at = came_from[at]
        return tuple(reversed(found))


def is_unigram(content: dict[str, Any]) -> bool:
    """Whether the content of a `tokenizer.json` is of the form that `UnigramTokenizer` reads."""
    model, processor = content["model"], content.get("post_processor") or {}
    plain = model.get("type") == "Unigram" and model.get("unk_id") is not None and not model.get("byte_fallback")
    return plain and bool(content.get("pre_tokenizer")) and processor.get("type") == "TemplateProcessing"


def read_tokenizer(path: Path) -> dict[str, Any]:
    """Content of a `tokenizer.json`."""
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def _around(processor: dict[str, Any]) -> tuple[list[int], list[int]]:
    """Ids before and after those of a text."""
    found: tuple[list[int], list[int]] = [], []
    after = False
    for part in processor["single"]:
        if "Sequence" in part:
            after = True
        else:
            found[after].extend(processor["special_tokens"][part["SpecialToken"]["id"]]["ids"])
    return found


def padded(rows: Sequence[Sequence[int]], pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask `(n, length)` of rows, filled up to the longest."""
    length = max(map(len, rows), default=0)
    ids = np.full((len(rows), length), pad_id, np.int64)
    mask = np.zeros((len(rows), length), np.int64)
    for row, found in enumerate(rows):
        ids[row, : len(found)] = found
        mask[row, : len(found)] = 1
    return ids, mask
