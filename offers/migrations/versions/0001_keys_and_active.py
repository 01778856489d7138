"""API keys, known revisions and models, and which of them are active."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Instants are milliseconds since 1970."""
    op.create_table(
        "api_keys",
        sa.Column("namespace", sa.String(63), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(128), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_index("api_keys_by_hash", "api_keys", ["key_hash"], unique=True)
    for table in ("revisions", "models"):
        op.create_table(
            table,
            sa.Column("namespace", sa.String(63), primary_key=True),
            sa.Column("id", sa.String(64), primary_key=True),
            sa.Column("published_at", sa.BigInteger, nullable=False),
            sa.Column("published_by", sa.String(128), nullable=False),
        )
    op.create_table(
        "active",
        sa.Column("namespace", sa.String(63), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("activated_at", sa.BigInteger, nullable=False),
        sa.Column("activated_by", sa.String(128), nullable=False),
    )


def downgrade() -> None:
    """Everything in the ledger is lost."""
    for table in ("active", "models", "revisions"):
        op.drop_table(table)
    op.drop_index("api_keys_by_hash", table_name="api_keys")
    op.drop_table("api_keys")
