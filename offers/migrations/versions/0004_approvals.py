"""Approvals: under which rules a revision is, whom a publication waits for, and what they said."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
COLUMNS = ("rules", "needs", "approved_at", "rejected_at")


def upgrade() -> None:
    """What was published before needed nobody, and had no rules."""
    for name in COLUMNS:
        op.add_column("publications", sa.Column(name, sa.BigInteger if name.endswith("_at") else sa.Text))
    op.create_table(
        "verdicts",
        sa.Column("namespace", sa.String(63), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("person", sa.String(128), primary_key=True),
        sa.Column("verdict", sa.String(8), nullable=False),
        sa.Column("message", sa.String(500), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("own", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """What waits or was rejected is canceled: the program before would take it for active."""
    op.execute(
        "UPDATE publications SET canceled_at = published_at"
        " WHERE needs IS NOT NULL AND approved_at IS NULL AND canceled_at IS NULL"
    )
    op.drop_table("verdicts")
    for name in COLUMNS:
        op.drop_column("publications", name)
