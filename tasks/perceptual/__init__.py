"""Encoders as perceptual losses: distances of feature maps, weighed so that encoders can be compared."""
