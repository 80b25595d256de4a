"""Export of the encoder: base weights merged with a LoRA delta, converted to OpenVINO and checked."""

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
    """BERT with mean pooling over the mask and normalisation: ids and mask `(n, length)` to unit vectors `(n, 384)`."""

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
    """Build MiniLM, with a LoRA delta merged in if `adapter` is given.

    Raises:
        BaseWeightsError: The base weights are missing or altered.
        ModelError: The delta names a matrix that the model does not have, or changes no output.
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
            raise ModelError(f"{adapter}: merging the LoRA delta changed no output; remedy: train the encoder again")
    return module


@contextmanager
def silence_libraries() -> Iterator[None]:
    """Suppress the conversion libraries' progress bars, load reports and deprecation warnings."""
    from transformers.utils import logging as transformers_logging  # takes seconds to import

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
    with silence_libraries():
        _export(adapter, folder)


def _export(adapter: Path | None, folder: Path) -> None:
    import openvino as ov  # slow to import, and only the export and its runtime need it

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
        raise ModelError(
            f"the converted encoder differs from torch by {float(np.abs(converted - expected).max()):.2g}; allowed: "
            "0.001; remedy: install the openvino version of requirements.lock"
        )


def _probe(module: PooledEncoder) -> np.ndarray:
    ids = torch.arange(1000, 1000 + 2 * MAX_TOKENS, 7).reshape(2, -1)
    with torch.inference_mode():
        return np.asarray(module(ids, torch.ones_like(ids)).numpy())
