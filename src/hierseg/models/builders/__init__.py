"""Builders: every number of a network stands once, here. A checkpoint names its builder.

A network of its own is a module here and its rows in ``catalog``; nothing else knows it.
"""
