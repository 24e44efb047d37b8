"""PostgreSQL: connections, roles, migrations. SQL itself stands with the capability it serves."""
