"""Backup and restore: one archive with a consistent copy of the store, the keys and locally trained models."""

from agent.service.backup.archive import BackupError, Manifest, read_manifest
from agent.service.backup.creation import save_backup
from agent.service.backup.restoration import Restored, restore

__all__ = ["BackupError", "Manifest", "Restored", "read_manifest", "restore", "save_backup"]
