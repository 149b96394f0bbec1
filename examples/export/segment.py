"""Segment a picture by a file that `hierseg export --format onnx` wrote: ONNX Runtime alone.

python segment.py streetlite.onnx photo.png labels.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

graph, picture, out = sys.argv[1:]
session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
header = json.loads(session.get_modelmeta().custom_metadata_map["hierseg"])
pixels = np.asarray(Image.open(picture).convert("RGB"))  # (H, W, 3) uint8
image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])  # (1, 3, H, W)
labels = session.run(None, {"image": image})[0][0]  # (H, W) uint8
Image.fromarray(labels).save(out)
names = header["label_space"]["names"]
for index, pixels in enumerate(np.bincount(labels.ravel(), minlength=len(names))):
    print(f"{pixels / labels.size:7.2%}  {names[index]}")
