"""Work that must happen: an outbox in the database, and processes that hand it on and do it.

The database is the record; the queue only carries ids. See docs/jobs.md.
"""
