"""Regression cases for the language models: proposals, explanations, understanding, injections."""
