"""Schema revisions, run by `agent.store.migrate`."""
