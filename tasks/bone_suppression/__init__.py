"""Bone suppression: a network that takes the ribs off a film, with the encoder under test as a part of its loss."""
