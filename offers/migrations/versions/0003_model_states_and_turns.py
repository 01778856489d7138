"""What became of each model, when, by whom and why; and whose turn it is to train."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Models that are known already are candidates or active; nobody wrote down why."""
    op.create_table(
        "model_states",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("base", sa.String(64)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("changed_by", sa.String(128), nullable=False),
    )
    op.create_index("model_states_of", "model_states", ["namespace", "model", "number"])
    op.create_table(
        "turns",
        sa.Column("namespace", sa.String(63), primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("holder", sa.String(128)),
        sa.Column("lapses_at", sa.BigInteger, nullable=False),
        sa.Column("done_at", sa.BigInteger),
    )
    insert = "INSERT INTO model_states (namespace, model, state, reason, changed_at, changed_by) "
    op.execute(f"{insert} SELECT namespace, id, 'candidate', '', published_at, published_by FROM models")
    op.execute(f"{insert} SELECT namespace, id, 'active', '', activated_at, activated_by FROM active"
               " WHERE kind = 'model'")  # fmt: skip


def downgrade() -> None:
    """The models, and which is active, stay; reasons and verdicts are lost."""
    op.drop_table("turns")
    op.drop_index("model_states_of", table_name="model_states")
    op.drop_table("model_states")
