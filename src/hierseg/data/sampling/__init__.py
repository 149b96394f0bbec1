"""Which samples an epoch takes."""
