"""Versioned prompts as data, and their strict loader."""

from prompts.loader import Golden, Prompt, PromptError, Rendered, golden, load_prompt, prompt_versions, read_draft, tame

__all__ = [
    "Golden",
    "Prompt",
    "PromptError",
    "Rendered",
    "golden",
    "load_prompt",
    "prompt_versions",
    "read_draft",
    "tame",
]
