"""Scenes that the model never saw, segmented, beside the truth."""

from hierseg.demo.run import DemoResult, run_demo
from hierseg.demo.scenes import DEMO_SEED, WEIGHTS, DemoScene, draw_scenes

__all__ = ["DEMO_SEED", "WEIGHTS", "DemoResult", "DemoScene", "draw_scenes", "run_demo"]
