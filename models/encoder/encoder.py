"""Text encoder: texts to unit vectors `(n, dim)`.

`TorchEncoder` is the reference implementation and runs on any torch device; `OpenVinoEncoder` is the fast CPU runtime,
checked against it at export. Both read the folder that `export_encoder` writes: graph with merged weights, tokenizer,
and `encoder.json`, which says how the encoder wants its texts.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.encoder.settings import read_encoder_settings
from models.encoder.unigram import UnigramTokenizer, is_unigram, padded, read_tokenizer

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]

MAX_TOKENS: Final = 112
"""Most tokens of a text, less where the encoder takes fewer."""
DIM: Final = 384
"""Dimensions of the shipped encoder; another encoder's are in its `dim`."""
_BATCH: Final = 32
_BATCH_ALIKE: Final = 16


class Encoder(Protocol):
    """Maps texts to unit vectors."""

    @property
    def version(self) -> str:
        """Version of the weights, recorded in every decision."""
        ...

    @property
    def dim(self) -> int:
        """Dimensions of a state."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts to float32 unit vectors `(n, dim)`, in the order given."""
        ...

    def encode_each(self, texts: Sequence[str]) -> Vectors:
        """Encode like `encode` for one text at a time, to the same bits."""
        ...


class TextTokenizer:
    """Maps texts to padded id and mask arrays `(n, length)`."""

    def __init__(self, folder: Path) -> None:
        """Read `tokenizer.json` and `encoder.json` of an encoder folder."""
        self.settings = read_encoder_settings(folder)
        path = folder / "tokenizer.json"
        content = read_tokenizer(path)
        self._compact = UnigramTokenizer(content, self.settings.max_tokens) if is_unigram(content) else None
        if self._compact is None:
            self._tokenizer = Tokenizer.from_file(str(path))
            self._tokenizer.enable_truncation(self.settings.max_tokens)
            self._tokenizer.no_padding()

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tokenise one batch, each text with the prefix, truncated, padded to the longest."""
        wanted = [self.settings.prefix + text for text in texts]
        if self._compact is not None:
            rows = [self._compact.encode(text) for text in wanted]
        else:
            rows = [row.ids for row in self._tokenizer.encode_batch(wanted)]
        return padded(rows, self.settings.pad_id)


class _Batched(ABC):
    """Batches texts of similar length and restores their order; base class of the runtimes."""

    def __init__(self, folder: Path, version: str) -> None:
        self._tokenizer = TextTokenizer(folder)
        self._version = version
        self._forward_lock = Lock()  # merchants share one encoder, and a compiled graph serves one thread at a time

    @property
    def version(self) -> str:
        """Version of the weights."""
        return self._version

    @property
    def dim(self) -> int:
        """Dimensions of a state."""
        return self._tokenizer.settings.dim

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Encode texts to float32 unit vectors `(n, dim)`, in the order given."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            tokens = self._tokenizer([texts[row] for row in rows])
            with self._forward_lock:
                vectors[rows] = self._forward(*tokens)
        return vectors

    def encode_each(self, texts: Sequence[str]) -> Vectors:
        """Encode like `encode` for one text at a time, to the same bits: a batch holds texts of one length in tokens.

        Padding changes the last bits.
        """
        vectors = np.empty((len(texts), self.dim), np.float32)
        if not texts:
            return vectors
        ids, mask = self._tokenizer(texts)
        lengths = mask.sum(axis=1)
        for length in np.unique(lengths).tolist():
            alike = np.flatnonzero(lengths == length)
            for start in range(0, len(alike), _BATCH_ALIKE):
                rows = alike[start : start + _BATCH_ALIKE]
                with self._forward_lock:
                    vectors[rows] = self._forward(ids[rows, :length], mask[rows, :length])
        return vectors

    @abstractmethod
    def _forward(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Vectors:
        """Compute the vectors of one padded batch."""


class OpenVinoEncoder(_Batched):
    """Runs the exported graph on the CPU, in bf16 where the processor supports it (cosine to f32 above 0.9999)."""

    def __init__(self, folder: Path, version: str, threads: int) -> None:
        """Compile the graph; `threads` is the most cores that one call may use."""
        super().__init__(folder, version)
        import openvino as ov  # slow to import, and only this runtime needs it

        core = ov.Core()
        precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision}
        model = core.compile_model(str(folder / "encoder.xml"), "CPU", hints)
        self._request = model.create_infer_request()

    def _forward(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Vectors:
        result = self._request.infer({"input_ids": ids, "attention_mask": mask})
        return np.asarray(next(iter(result.values())), np.float32)


class TorchEncoder(_Batched):
    """Runs any torch module that maps ids and mask to unit vectors; the reference implementation."""

    def __init__(self, folder: Path, version: str, module: "torch.nn.Module", device: str = "cpu") -> None:
        """Move `module` to `device`."""
        super().__init__(folder, version)
        self._module = module.eval().to(device)
        self._device = device

    def _forward(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Vectors:
        import torch

        with torch.inference_mode():
            vectors = self._module(torch.from_numpy(ids).to(self._device), torch.from_numpy(mask).to(self._device))
        return np.asarray(vectors.float().cpu().numpy(), np.float32)
