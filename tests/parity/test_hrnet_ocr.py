"""The published HRNet-W48 OCR networks, against the numbers of the shared folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hierseg.checkpoint.published.hrnet_ocr import HRNET_OCR
from hierseg.losses.combined import CombinedLoss
from hierseg.losses.cross_entropy import CrossEntropy
from hierseg.losses.region_mutual_information import RegionMutualInformation
from hierseg.models.network import SegmentationNetwork
from hierseg.models.registry import create_model
from parity.rule import fill, image_of, labels_of, read_manifest, relative_error

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4
MANIFESTS = {"hrnet48-ocr": "hrnet_w48_ocr.tsv", "hrnet48-ocr-hier": "hrnet_w48_ocr_mscale.tsv"}


def _filled(name: str) -> SegmentationNetwork:
    network = create_model(name)
    fill(network, HRNET_OCR.to_published)
    # The goldens' images are normalised already.
    network.mean.zero_()
    network.std.fill_(1)
    return network.eval()


@pytest.fixture(scope="module")
def hierarchical() -> SegmentationNetwork:
    return _filled("hrnet48-ocr-hier")


@pytest.mark.parametrize("name", MANIFESTS)
def test_table_covers_the_manifest_both_ways(parity_dir: Path, name: str) -> None:
    published = read_manifest(parity_dir / "manifest" / MANIFESTS[name])
    own = {key: tuple(value.shape) for key, value in create_model(name).state_dict().items()}
    assert {HRNET_OCR.to_own(key): shape for key, shape in published.items()} == own
    assert {HRNET_OCR.to_published(key): shape for key, shape in own.items()} == published


@torch.inference_mode()
def test_one_scale(parity_dir: Path) -> None:
    golden = np.load(parity_dir / "hrnet_w48_ocr.npz")
    image = image_of(int(golden["height"]), int(golden["width"]), int(golden["seed"]))
    output = _filled("hrnet48-ocr")(image)
    assert relative_error(output.logits, golden["pred"], int(golden["stride"])) < TOLERANCE


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("case", ["2scales", "3scales", "odd"])
@torch.inference_mode()
def test_several_scales(
    parity_dir: Path,
    hierarchical: SegmentationNetwork,
    case: str,
    direction: str,
    record_property: pytest.FixtureRequest,
) -> None:
    golden = np.load(parity_dir / f"hrnet_w48_ocr_mscale_{case}.npz")
    scales, stride = golden["scales"].tolist(), int(golden["stride"])
    image = image_of(int(golden["height"]), int(golden["width"]), int(golden["seed"]))
    hierarchical.fusion.direction = direction
    output = hierarchical(image, scales, keep_scales=True)
    assert set(output.per_scale) == set(scales)
    results = {"pred": output.logits}
    results |= {f"pred_{scale}x": value for scale, value in output.per_scale.items()}
    results |= {f"attn_{scale}x": value for scale, value in output.attention.items()}
    expected = {key for key in golden.files if key.startswith(("pred", "attn"))}
    assert len(expected) >= 2 * len(scales)
    errors = {key: relative_error(results[key], golden[key], stride) for key in expected}
    print(case, direction, errors)
    assert max(errors.values()) < TOLERANCE, errors


def _training_output(parity_dir: Path, network: SegmentationNetwork):
    golden = np.load(parity_dir / "hrnet_w48_ocr_mscale_training.npz")
    height, width, seed = (int(golden[key]) for key in ("height", "width", "seed"))
    with torch.inference_mode():
        output = network(
            image_of(height, width, seed), (0.5, 1.0), keep_scales=True, auxiliary=True
        )
    return golden, output, labels_of(height, width, seed + 1000, 19, 0.1)


def test_training_pair(parity_dir: Path, hierarchical: SegmentationNetwork) -> None:
    golden, output, _ = _training_output(parity_dir, hierarchical)
    for result, key in ((output.logits, "pred"), (output.auxiliary, "aux")):
        error = relative_error(result, golden[key], int(golden["stride"]))
        print("training", key, error)
        assert error < TOLERANCE


@pytest.mark.parametrize(
    ("criterion", "key"),
    [(CrossEntropy, "loss_cross_entropy"), (RegionMutualInformation, "loss_rmi")],
)
def test_training_loss(
    parity_dir: Path, hierarchical: SegmentationNetwork, criterion: type, key: str
) -> None:
    golden, output, labels = _training_output(parity_dir, hierarchical)
    loss = CombinedLoss(criterion(), per_scale_weight=0.05)(output, labels)["loss"]
    print("training", key, float(loss) / float(golden[key]) - 1)
    assert float(loss) == pytest.approx(float(golden[key]), rel=1e-5)
