"""Publications of revisions, each resting on the one before, and campaigns stopped."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is known of revisions is their publications: no program has written the table they had."""
    op.drop_table("revisions")
    op.create_table(
        "publications",
        sa.Column("namespace", sa.String(63), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.String(64), nullable=False),
        sa.Column("base", sa.String(64)),
        sa.Column("author", sa.String(128), nullable=False),
        sa.Column("message", sa.String(500), nullable=False),
        sa.Column("published_at", sa.BigInteger, nullable=False),
        sa.Column("activate_at", sa.BigInteger),
        sa.Column("canceled_at", sa.BigInteger),
    )
    op.create_table(
        "stops",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("campaign_id", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("stopped_by", sa.String(128), nullable=False),
        sa.Column("stopped_at", sa.BigInteger, nullable=False),
        sa.Column("lifted_by", sa.String(128)),
        sa.Column("lifted_at", sa.BigInteger),
    )
    op.create_index(
        "stops_in_force",
        "stops",
        ["namespace", "campaign_id"],
        unique=True,
        sqlite_where=sa.text("lifted_at IS NULL"),
        postgresql_where=sa.text("lifted_at IS NULL"),
    )


def downgrade() -> None:
    """Publications and stops are lost: what was stopped is shown again."""
    op.drop_index("stops_in_force", table_name="stops")
    op.drop_table("stops")
    op.drop_table("publications")
    op.create_table(
        "revisions",
        sa.Column("namespace", sa.String(63), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("published_at", sa.BigInteger, nullable=False),
        sa.Column("published_by", sa.String(128), nullable=False),
    )
