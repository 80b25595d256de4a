"""One module a revision, oldest first by number. A published revision never changes."""
