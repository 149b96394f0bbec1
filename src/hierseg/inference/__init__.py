"""From images to predictions, and from predictions to files and a page."""

from hierseg.inference.page import Page, write_page
from hierseg.inference.prediction import Prediction, class_shares
from hierseg.inference.predictor import Predictor
from hierseg.inference.reading import UnreadableImageError, read_image
from hierseg.inference.run import RunSettings, run_folder
from hierseg.inference.scales import predict_logits
from hierseg.inference.sources import find_images
from hierseg.inference.summary import ImageRecord, Panel, Summary
from hierseg.inference.writers import WRITERS

__all__ = [
    "WRITERS",
    "ImageRecord",
    "Page",
    "Panel",
    "Prediction",
    "Predictor",
    "RunSettings",
    "Summary",
    "UnreadableImageError",
    "class_shares",
    "find_images",
    "predict_logits",
    "read_image",
    "run_folder",
    "write_page",
]
