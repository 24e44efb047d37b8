"""The gate that a report passes before it leaves, and what becomes of it afterwards."""
