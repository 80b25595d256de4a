"""Names of a strategist's files."""

from typing import Final

NUMBERS_FILE: Final = "numbers.safetensors"
