"""Pictures for papers, drawn from records, predictions and images."""
