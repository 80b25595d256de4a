"""Backups: one file that holds one state of the store, the keys and what was trained here, and the way back."""

from agent.service.backup.archive import BackupError, Manifest, read_manifest
from agent.service.backup.restoring import Restored, restore
from agent.service.backup.saving import save_backup

__all__ = ["BackupError", "Manifest", "Restored", "read_manifest", "restore", "save_backup"]
