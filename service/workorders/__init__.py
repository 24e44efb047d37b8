"""Work orders: a case on its way through the firm, and every state it was in."""
