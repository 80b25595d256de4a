"""`encoder.json`: how an encoder wants its texts, read from its sentence-transformers folder at export."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import ModelError

SETTINGS_FILE: Final = "encoder.json"


class EncoderSettings(BaseModel):
    """Length and prefix of the texts that an encoder reads, and the size of its states.

    Attributes:
        dim: Dimensions of a state.
        max_tokens: Longer texts are cut, the tokens that mark start and end included.
        pad_id: Token that fills up the shorter texts of a batch.
        prefix: Put before every text, as `query: ` is for e5.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: int = Field(ge=1)
    max_tokens: int = Field(ge=3)
    pad_id: int = Field(ge=0)
    prefix: str = ""


_FIRST: Final = EncoderSettings(dim=384, max_tokens=112, pad_id=0)


def read_encoder_settings(folder: Path) -> EncoderSettings:
    """Read the settings of an encoder's folder; versions of releases without the file were all-MiniLM-L6-v2.

    Raises:
        ModelError: The file is not valid.
    """
    path = folder / SETTINGS_FILE
    if not path.is_file():
        return _FIRST
    try:
        return EncoderSettings.model_validate_json(path.read_bytes())
    except ValidationError as error:
        name = ".".join(map(str, error.errors()[0]["loc"]))
        raise ModelError(f"{path}: field {name!r} is invalid; remedy: pricesmith prepare") from None


def write_encoder_settings(settings: EncoderSettings, folder: Path) -> None:
    """Write the settings beside the runtime files."""
    (folder / SETTINGS_FILE).write_text(settings.model_dump_json(indent=1) + "\n", "utf-8")
