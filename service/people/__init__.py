"""Who people are, which firm they belong to, and what they may do there."""
