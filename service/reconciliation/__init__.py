"""Holds the books to each other: says what does not agree and what to do, and mends nothing."""
