"""What a CUDA machine makes of the networks, in four minutes: ``python -m benchmarks.gpu``."""
