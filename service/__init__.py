"""People, work orders, billing, jobs, API and pages; may import `factory`. Empty until built."""
