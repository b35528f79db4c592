"""What methods are made of: losses, heads, momentum copies, queues, decoders."""
