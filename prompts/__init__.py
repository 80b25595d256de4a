"""Versioned prompts as data files, and their validating loader."""

from prompts.loader import (
    Golden,
    Prompt,
    PromptError,
    Rendered,
    golden,
    load_prompt,
    prompt_versions,
    read_draft,
    sanitise,
)

__all__ = [
    "Golden",
    "Prompt",
    "PromptError",
    "Rendered",
    "golden",
    "load_prompt",
    "prompt_versions",
    "read_draft",
    "sanitise",
]
