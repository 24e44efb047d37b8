"""Stand-ins for the payment providers, for tests, `serve` and the demo: a process of their own.

They answer what the providers' packages ask, keep what they answered, show a page to pay on, and sign
and deliver their events as the providers do: late, twice, or in disorder if they are told to. No money
moves, and in production they refuse to run.
"""
