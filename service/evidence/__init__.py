"""Documents, what they show in a work order, and what is still to be brought."""
