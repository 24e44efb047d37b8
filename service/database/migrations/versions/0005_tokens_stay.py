"""Whoever logs people in cannot move a token to another firm."""

from pathlib import Path

from alembic import op

from service.database.scripts import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Narrow the grant."""
    run_script(op.get_bind(), _SQL / "0015_tokens_stay.sql")


def downgrade() -> None:
    """Refuse: the wider grant was a fault."""
    raise NotImplementedError("Restore a backup instead; see docs/runbook.md.")
