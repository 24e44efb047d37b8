"""Packs: versioned reports of a work order, the jobs that make them, and valuers' signatures."""
