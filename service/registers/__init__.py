"""Banks, branches, valuers and properties: entered once, searched, and used again."""
