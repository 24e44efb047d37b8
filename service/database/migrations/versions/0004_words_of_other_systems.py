"""What another system says of a piece of evidence is kept as it says it."""

from pathlib import Path

from alembic import op

from service.database.scripts import run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Add the columns."""
    run_script(op.get_bind(), _SQL / "0014_words_of_other_systems.sql")


def downgrade() -> None:
    """Refuse: what was said would be lost."""
    raise NotImplementedError("Restore a backup instead; see docs/runbook.md.")
