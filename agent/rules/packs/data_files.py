"""Reading the data files of packs."""

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
    """`data/<name>.yaml`, checked; a name may lie in a folder. Raises PackError when it is malformed."""
    path = DATA / f"{name}.yaml"
    try:
        return shape.validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise PackError(f"{path.name} is malformed: {error}") from error
