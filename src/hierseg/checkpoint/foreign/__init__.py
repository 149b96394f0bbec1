"""Checkpoints of other projects: reading them, recognising their network, converting them."""
