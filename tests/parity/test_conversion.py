"""Every publication at full width: a file in its form, converted, gives the published numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hierseg import cli
from hierseg.checkpoint.load import load_model
from hierseg.checkpoint.opening import container_of
from parity.rule import image_of, relative_error
from support.published_files import (
    manifest_tensors,
    read_published,
    write_paddle_file,
    write_torch,
)

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4
# Manifest -> golden, and how such a file is written.
FILES = {
    "hrnet_w48_ocr_mscale": ("hrnet_w48_ocr_mscale_2scales", {}),
    "hrnet_w48_ocr": ("hrnet_w48_ocr", {}),
    "deeplabv3plus_wrn38": ("deeplabv3plus_wrn38", {}),
    "deeplabv3plus_wrn38_mscale": ("deeplabv3plus_wrn38_mscale", {}),
    "deeplabv3plus_xception71": ("deeplabv3plus_xception71", {}),
    "deeplabv3plus_wrn38_fuse": ("deeplabv3plus_wrn38_fuse", {"arch": "mscale.DeepV3W38Fuse"}),
    "deeplabv3plus_wrn38_fuse2": ("deeplabv3plus_wrn38_fuse2", {}),
    "deeper_wrn38": ("deeper_wrn38", {}),
    "deeper_wrn38_mscale": ("deeper_wrn38_mscale", {}),
    "deeper_xception71": ("deeper_xception71", {"legacy": True}),
    "hrnet_w48_basic": ("hrnet_w48_basic", {}),
    "hrnet_w48_mscale": ("hrnet_w48_mscale", {}),
    "hrnet_w48_aspp": ("hrnet_w48_aspp", {}),
    "hrnet_w48_aspp_mscale": ("hrnet_w48_aspp_mscale", {}),
    "sdc_deepwv3plus": ("sdc_deepwv3plus", {"legacy": True}),
    "sdc_deeplabv3plus_seresnext50": (
        "sdc_deeplabv3plus_seresnext50",
        {"legacy": True, "nested": False, "prefix": ""},
    ),
    "official_hrnet_w48": ("official_hrnet_w48", {"nested": False, "prefix": "model."}),
    "official_hrnet_w48_ocr": (
        "official_hrnet_w48_ocr",
        {"nested": False, "prefix": "model.", "legacy": True},
    ),
    "paddleseg_mscale_ocr": ("hrnet_w48_ocr_mscale_2scales", None),
}


@pytest.mark.parametrize("manifest", FILES)
@torch.inference_mode()
def test_converted_file_gives_the_published_numbers(
    parity_dir: Path, tmp_path: Path, manifest: str
) -> None:
    golden_name, form = FILES[manifest]
    tensors = manifest_tensors(parity_dir / "manifest" / f"{manifest}.tsv")
    if form is None:
        file = write_paddle_file(tmp_path / "model.pdparams", tensors)
    else:
        file = write_torch(tmp_path / "published.pth", tensors, **form)
    own, back = tmp_path / "own.safetensors", tmp_path / f"back{file.suffix}"
    assert cli.main(["convert", str(file), str(own)]) == 0
    golden = np.load(parity_dir / f"{golden_name}.npz")
    network = load_model(own)
    # The goldens' images are normalised already.
    network.mean.zero_()
    network.std.fill_(1)
    # Where there is one scale, none are named.
    scales = golden["scales"].tolist() if "scales" in golden.files else []
    image = image_of(int(golden["height"]), int(golden["width"]), int(golden["seed"]))
    output = network(image, scales or [1.0], auxiliary="aux" in golden.files)
    results = {"pred": output.logits, "aux": output.auxiliary}
    errors = {
        key: relative_error(results[key], golden[key], int(golden["stride"]))
        for key in results
        if key in golden.files
    }
    print(manifest, errors)
    assert max(errors.values()) < TOLERANCE, errors
    assert cli.main(["convert", str(own), str(back), "--to-published"]) == 0
    assert container_of(back) == container_of(file)
    found, expected = read_published(back), read_published(file)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name
