"""What is measured, as ratios of two sides in one run; never part of the tests."""
