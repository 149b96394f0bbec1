"""What a run says of itself: display, journal, TensorBoard."""
