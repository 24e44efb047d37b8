"""FEEL, the expression language of DMN 1.5: parsed, bounded and evaluated."""
