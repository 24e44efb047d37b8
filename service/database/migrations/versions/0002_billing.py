"""Billing: accounts and their ledger, invoices, subscriptions, payments, releases."""

from pathlib import Path

from alembic import op

from service.database.scripts import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SQL = Path(__file__).parent.parent / "sql"
_FILES = ("0009_ledger.sql", "0010_invoices.sql", "0011_payments.sql", "0012_releases.sql")


def upgrade() -> None:
    """Create everything, as readable SQL."""
    connection = op.get_bind()
    for name in _FILES:
        run_script(connection, _SQL / name)


def downgrade() -> None:
    """Refuse: a ledger is not dropped by a command."""
    raise NotImplementedError("Restore a backup instead; see docs/runbook.md.")
