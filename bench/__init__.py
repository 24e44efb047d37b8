"""Measurements against named rivals, each in the same run. Only this folder knows zen-engine."""
