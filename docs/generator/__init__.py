"""Writes the reference pages that follow from code: settings, commands, exit codes, HTTP, import columns."""
