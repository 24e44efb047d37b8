"""Invoices of the firm that runs the service to the accounts that use it."""
