from importlib.util import find_spec

# zen-engine is installed by `make bench`, and by nothing else.
collect_ignore_glob = [] if find_spec("zen") else ["test_*.py"]
