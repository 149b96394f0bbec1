"""A folder of images and masks that nobody has described: its layout, classes and splits."""
