"""Prints a bundle as a Word document; `child` runs alone in a process with limits."""
