"""What the older system asks of this one: accounts, credits, events, and its hourly round."""
