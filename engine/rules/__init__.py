"""Rule sets: resolved, checked, compiled and run."""
