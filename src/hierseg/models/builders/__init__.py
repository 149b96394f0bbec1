"""Builders: every number of a network stands once, here. A checkpoint names its builder.

To add a network, add a builder here and rows in ``catalog``; no other module changes.
"""
