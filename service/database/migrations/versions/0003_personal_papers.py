"""Identity papers and deeds are guarded by their kind, those that are there already too."""

from pathlib import Path

from alembic import op

from service.database.scripts import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add who gave a document its sensitivity, and raise that of papers about people."""
    run_script(op.get_bind(), _SQL / "0013_personal_papers.sql")


def downgrade() -> None:
    """Refuse: nobody opens again what was guarded by a command."""
    raise NotImplementedError("Restore a backup instead; see docs/runbook.md.")
