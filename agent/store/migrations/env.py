"""Runs revisions on the connection and within the transaction of `agent.store.migrate`."""

from alembic import context

from agent.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # also on SQLite, whose driver does not manage transactions here
)
with context.begin_transaction():
    context.run_migrations()
