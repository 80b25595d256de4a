"""Backups: one file that holds one state of the store, the keys and what was trained here, and the way back."""

from agent.service.backup.archive import BackupError, Manifest, read_manifest
from agent.service.backup.creation import save_backup
from agent.service.backup.restoration import Restored, restore

__all__ = ["BackupError", "Manifest", "Restored", "read_manifest", "restore", "save_backup"]
