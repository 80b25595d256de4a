"""Jobs: imports and trainings asked for over HTTP."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.Column("file", sa.Text),
        sa.Column("file_bytes", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("fraction", sa.Float(53), nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("rows", sa.BigInteger),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger),
        sa.Column("result", sa.Text),
        sa.Column("problem", sa.Text),
    )
    op.create_index("jobs_state", "jobs", ["state", "job_id"])
    op.create_index("jobs_kind", "jobs", ["kind", "job_id"])


def downgrade() -> None:
    """Drop the table; waiting jobs are lost."""
    op.drop_table("jobs")
