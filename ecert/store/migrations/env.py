"""Alembic's entry: migrations run inside the transaction that ``engine.migrate`` opened."""

from alembic import context

from ecert.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
