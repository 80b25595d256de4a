"""The narrator: SmolLM2-135M, whole, with a delta, writing a few sentences under a grammar that has no digits.

Numbers and names stand in its text as references in brackets, `[reference price]`, and the grammar knows only the
references that the caller allows: whatever it writes, a number can only be one of the caller's facts. Decoding is
greedy, so that one prompt has one text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from models.errors import ModelError
from models.llama import BeamCache, LlamaLayers, PromptCache
from models.strategist import SMOLLM2_SHAPE

NARRATOR_SHAPE: Final = replace(SMOLLM2_SHAPE, n_layers=30)
MAX_TOKENS: Final = 110
END: Final = "<|im_end|>"
OPEN, CLOSE = "[", "]"
_PLAIN: Final = re.compile(r"[A-Za-z ,.;:'()“”-]*")


class Grammar:
    """Which tokens may follow, as masks over the vocabulary; made once for a tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Sort the vocabulary into plain tokens and those that open a reference."""
        size = tokenizer.get_vocab_size()
        end = tokenizer.token_to_id(END)
        if end is None:
            raise ModelError(f"the tokenizer lacks {END}; remedy: pricesmith prepare")
        self.end: int = end
        self.texts = tokenizer.decode_batch([[index] for index in range(size)], skip_special_tokens=False)
        self.texts[self.end] = ""
        self._outside = torch.zeros(size, dtype=torch.bool)
        for index, text in enumerate(self.texts):
            body = text.removesuffix(OPEN)
            self._outside[index] = bool(text) and _PLAIN.fullmatch(body) is not None
        self._outside[self.end] = True
        self._inside = lru_cache(maxsize=4_096)(self._continuing)

    def allowed(self, written: str, references: Sequence[str]) -> Tensor:
        """Mask `(vocabulary,)` of tokens that keep the text within the grammar."""
        start = written.rfind(OPEN)
        if start <= written.rfind(CLOSE):
            return self._outside
        begun = written[start + 1 :]
        mask = torch.zeros_like(self._outside)
        for reference in references:
            if reference.startswith(begun):
                mask |= self._inside(reference[len(begun) :] + CLOSE)
        return mask

    def _continuing(self, rest: str) -> Tensor:
        """Tokens that write a part of `rest`, or all of it and then plain text."""
        mask = torch.zeros_like(self._outside)
        for index, text in enumerate(self.texts):
            if text and (rest.startswith(text) or (text.startswith(rest) and _PLAIN.fullmatch(text[len(rest) :]))):
                mask[index] = True
        return mask


class Narrator:
    """Writes texts; one instance serves one thread at a time."""

    def __init__(self, layers: LlamaLayers, embedding: Tensor, tokenizer: Tokenizer, version: str) -> None:
        """Take the language model and its embedding `(vocabulary, width)`, which is also its head."""
        self._layers = layers
        self._embedding = embedding
        self._tokenizer = tokenizer
        self._grammar = Grammar(tokenizer)
        self.version = version

    def write(self, prompt: str, references: Sequence[str], limit: int = MAX_TOKENS) -> Iterator[str]:
        """Pieces of the text as they are written; it ends when the model ends it, or at `limit` tokens."""
        with torch.inference_mode():
            ids = torch.tensor([self._tokenizer.encode(prompt).ids])
            state, cache = self._layers.prefill(ids, torch.tensor([ids.shape[1]]))
            written, beams = "", None
            state = state[:, None]
        for _ in range(limit):
            with torch.inference_mode():
                token = self._next(state, written, references)
                if token == self._grammar.end:
                    return
                state, beams = self._step(token, cache, beams)
            piece = self._grammar.texts[token]
            written += piece
            yield piece

    def _next(self, state: Tensor, written: str, references: Sequence[str]) -> int:
        logits = (state[0, 0] @ self._embedding.T).float()
        return int(logits.masked_fill(~self._grammar.allowed(written, references), float("-inf")).argmax())

    def _step(self, token: int, cache: PromptCache, beams: BeamCache | None) -> tuple[Tensor, BeamCache]:
        return self._layers.step(self._embedding[token][None, None], cache, beams)


def load_narrator(folder: Path, version: str) -> Narrator:
    """Load the runtime folder that `models.narrator_export` writes."""
    tensors = load_file(str(folder / "narrator.safetensors"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    layers = LlamaLayers(tensors, NARRATOR_SHAPE, wide_prompts=True)
    return Narrator(layers, tensors["embed_tokens.weight"], tokenizer, version)
