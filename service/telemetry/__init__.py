"""What the running service tells of itself: logs and metrics, without secrets or evidence."""
