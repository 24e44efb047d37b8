"""Plans that firms subscribe to: periods, their price, and the credits that each brings once."""
