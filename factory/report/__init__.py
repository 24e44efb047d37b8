"""What a report prints from a bundle, and the proof that it did."""
