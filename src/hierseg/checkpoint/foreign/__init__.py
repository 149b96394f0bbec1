"""Checkpoints of other projects: reading them, telling which network they hold, converting."""
