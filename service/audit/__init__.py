"""Who did what, why, and what it was before: written once, sealed into a chain, and checkable."""
