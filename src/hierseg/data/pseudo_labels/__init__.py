"""Coarse, auto- and propagated labels, and the rules that decide which of their pixels count."""
