"""What Alembic runs: the steps, in the transaction and on the connection that Ledger hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None, transactional_ddl=True)
context.run_migrations()
