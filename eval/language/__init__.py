"""Regression cases for everything that reads or writes words: proposals, explanations, understanding, injections."""
