"""Runs revisions on the connection, and inside the transaction, that `agent.store.migrate` opened."""

from alembic import context

from agent.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # true of SQLite as well, once its driver leaves transactions alone
)
with context.begin_transaction():
    context.run_migrations()
