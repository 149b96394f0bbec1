from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from hierseg.metrics import cross_entropy
from hierseg.metrics.cross_entropy import sum_cross_entropy


def test_the_sum_is_that_of_the_counted_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    logits, labels = 4 * torch.randn(5, 17, 13), torch.randint(0, 5, (17, 13))
    labels[2:5] = 255
    wanted = functional.cross_entropy(
        logits.double()[None], labels[None], ignore_index=255, reduction="sum"
    )
    for chunk in (1 << 18, 50):  # at once, and in pieces that end within a row
        monkeypatch.setattr(cross_entropy, "CHUNK", chunk)
        total, pixels = sum_cross_entropy(logits, labels.to(torch.uint8))
        assert total == pytest.approx(float(wanted), rel=1e-6)
        assert pixels == 14 * 13


def test_what_does_not_count_may_be_no_number() -> None:
    logits, labels = torch.zeros(3, 4, 4), torch.zeros(4, 4, dtype=torch.uint8)
    logits[:, 1], labels[1] = math.nan, 255
    total, pixels = sum_cross_entropy(logits, labels)
    assert total == pytest.approx(12 * math.log(3))
    assert pixels == 12
    logits[:, 2] = math.nan
    assert math.isnan(sum_cross_entropy(logits, labels)[0])
    assert sum_cross_entropy(logits, torch.full((4, 4), 255)) == (0.0, 0)
