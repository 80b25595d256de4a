"""Base encoders: packaged ones by name, and any sentence-transformers folder by path."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from models.encoder.e5_package import write_e5_folder
from models.errors import BaseWeightsError
from models.registry.base_weights import MINILM, MULTILINGUAL_E5, sha256_file

E5: Final = "multilingual-e5-small"
MINILM_L6: Final = "all-MiniLM-L6-v2"
BASE: Final = "base"
"""Setting of an encoder: name or folder of its base encoder; versions without it were trained on `MINILM_L6`."""
_PACKAGED: Final = {E5: MULTILINGUAL_E5, MINILM_L6: MINILM}
_WEIGHTS: Final = "model.safetensors"


@contextmanager
def base_folder(base: str) -> Iterator[Path]:
    """Open the sentence-transformers folder of a base encoder; it may be gone afterwards.

    Raises:
        BaseWeightsError: A packaged file is missing or altered, or there is no such folder.
    """
    if base == E5:
        with TemporaryDirectory() as folder:
            write_e5_folder(Path(folder))
            yield Path(folder)
    elif base == MINILM_L6:
        yield MINILM.verified().parent
    else:
        yield _own_folder(base)


def base_digest(base: str) -> dict[str, str]:
    """SHA-256 of a base encoder's weights, by its name.

    Raises:
        BaseWeightsError: There is no such folder.
    """
    if base in _PACKAGED:
        return {base: _PACKAGED[base].sha256}
    folder = _own_folder(base)
    return {folder.name: sha256_file(folder / _WEIGHTS)}


def _own_folder(base: str) -> Path:
    folder = Path(base)
    missing = [name for name in ("modules.json", _WEIGHTS, "tokenizer.json") if not (folder / name).is_file()]
    if missing:
        raise BaseWeightsError(
            f"base encoder {base!r} has no {missing[0]}; allowed: {', '.join(_PACKAGED)}, or a sentence-transformers "
            "folder with safetensors and a fast tokenizer; remedy: set PRICESMITH_ENCODER to one of them"
        )
    return folder.resolve()
