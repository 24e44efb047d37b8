"""Units: the pint registry, Indian land units by place, exact conversion."""
