"""The HTTP interface: thin. What a request may do is decided here, what it does elsewhere."""
