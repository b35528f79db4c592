"""What tasks that make an image and hold it against a true one have in common: predictions, metrics and comparison."""
