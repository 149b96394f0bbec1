"""Reports of a run: display, journal, TensorBoard, trackers."""
