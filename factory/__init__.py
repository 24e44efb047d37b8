"""Reads folders, builds and verifies bundles, and is the command line; may import `engine`."""
