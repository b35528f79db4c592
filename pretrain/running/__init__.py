"""A pretraining from its request to the finished folder."""
