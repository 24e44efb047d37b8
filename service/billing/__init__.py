"""Billing accounts, their credits and the journal that both credits and money are written in."""
