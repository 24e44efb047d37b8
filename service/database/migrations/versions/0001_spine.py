"""The service's spine: tenancy, people, registers, work orders, evidence, jobs, packs, audit."""

from pathlib import Path

from alembic import op

from service.database.scripts import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent.parent / "sql"
_FILES = (
    "0001_tenancy.sql",
    "0002_people.sql",
    "0003_registers.sql",
    "0004_work_orders.sql",
    "0005_evidence.sql",
    "0006_jobs.sql",
    "0007_packs.sql",
    "0008_audit.sql",
)


def upgrade() -> None:
    """Create everything, as readable SQL."""
    connection = op.get_bind()
    for name in _FILES:
        run_script(connection, _SQL / name)
    # What runs checks that the database is at the revision it was written for.
    op.execute("grant select on alembic_version to zen_login, zen_system, zen_backup")


def downgrade() -> None:
    """Refuse: what people entered is not dropped by a command."""
    raise NotImplementedError("Restore a backup instead; see docs/runbook.md.")
