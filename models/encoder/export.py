"""From base weights and a LoRA delta to the encoder's runtime folder: merged, converted, checked."""

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn

from models.encoder.encoder import MAX_TOKENS, TextTokenizer, TorchEncoder
from models.errors import ModelError
from models.language.lora import merge_lora
from models.registry.base_weights import MINILM

if TYPE_CHECKING:
    from transformers import BertModel

_PROBE: Final = ("often buys yogurt, cheese; pays mostly on offer", "cottage cheese 16 OZ. milk products")


class PooledEncoder(nn.Module):
    """BERT, mean pooling over the mask, unit length: ids and mask `(n, length)` to `(n, 384)`."""

    def __init__(self, bert: "BertModel") -> None:
        """Wrap a BERT model."""
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode one padded batch."""
        states = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # (n, length, 384)
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(pooled, dim=-1)


def merged_encoder(adapter: Path | None) -> PooledEncoder:
    """MiniLM with a LoRA delta merged in (none: the base model).

    Raises:
        BaseWeightsError: The base weights are missing or altered.
        ModelError: The delta names a matrix that the model does not have, or changes nothing.
    """
    from transformers import BertModel  # takes seconds to import, and serving does not need it

    folder = MINILM.verified().parent
    bert = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager", dtype=torch.float32)
    bert.train(False)
    module = PooledEncoder(bert)
    if adapter is not None:
        before = _probe(module)
        merge_lora(dict(bert.named_parameters()), adapter)
        if np.allclose(before, _probe(module), atol=1e-4):
            raise ModelError(f"{adapter}: merging the delta changed no output; remedy: train the encoder again")
    return module


@contextmanager
def quiet() -> Iterator[None]:
    """Conversion without the libraries' progress bars, load reports and deprecation warnings of their own code."""
    from transformers.utils import logging as transformers_logging  # as above

    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def export_encoder(adapter: Path | None, folder: Path) -> None:
    """Write the runtime folder: `encoder.xml`, `encoder.bin`, `tokenizer.json`.

    Raises:
        ModelError: The converted graph does not agree with the torch module to 1e-3.
    """
    with quiet():
        _export(adapter, folder)


def _export(adapter: Path | None, folder: Path) -> None:
    import openvino as ov  # heavy, and only exporting and its runtime need it

    module = merged_encoder(adapter)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(MINILM.folder() / "model" / "tokenizer.json", folder / "tokenizer.json")
    ids, mask = TextTokenizer(folder)(_PROBE)
    example = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
    graph = ov.convert_model(module, example_input=example)
    ov.save_model(graph, str(folder / "encoder.xml"), compress_to_fp16=False)
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    converted = next(iter(compiled({"input_ids": ids, "attention_mask": mask}).values()))
    expected = TorchEncoder(folder, "torch", module).encode(_PROBE)
    if not np.allclose(converted, expected, atol=1e-3):
        raise ModelError("the converted encoder disagrees with torch; remedy: check the openvino version in the lock")


def _probe(module: PooledEncoder) -> np.ndarray:
    ids = torch.arange(1000, 1000 + 2 * MAX_TOKENS, 7).reshape(2, -1)
    with torch.inference_mode():
        return np.asarray(module(ids, torch.ones_like(ids)).numpy())
