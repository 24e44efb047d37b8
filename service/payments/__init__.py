"""Money through payment providers: checkout links, their news, refunds, and asking what became of it."""
