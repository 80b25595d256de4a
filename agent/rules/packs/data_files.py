"""Data files of packs, attributes and jurisdictions."""

from pathlib import Path
from typing import Final, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from agent.rules.packs.errors import PackError

DATA: Final = Path(__file__).parent / "data"
PROTECTED_FILE: Final = "protected"
LAW: Final = DATA / "law"

T = TypeVar("T")


def read_data(name: str, shape: TypeAdapter[T]) -> T:
    """Read and validate `data/<name>.yaml`; a name may include a folder.

    Raises:
        PackError: The file is malformed.
    """
    path = DATA / f"{name}.yaml"
    try:
        return shape.validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise PackError(f"{path.name} is malformed: {error}") from error
