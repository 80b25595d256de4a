"""Versioned prompts as data, and their strict loader."""

from prompts.loader import Prompt, PromptError, Rendered, load_prompt, prompt_versions, tame

__all__ = ["Prompt", "PromptError", "Rendered", "load_prompt", "prompt_versions", "tame"]
