from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from hierseg.data.augmentation.rand_augment import (
    ANGLE,
    COLORS,
    MOTIONS,
    SHEAR,
    SHIFT,
    STEPS,
    STRONGEST,
    RandAugment,
    move_pair,
)
from hierseg.data.augmentation.transforms import TrainingTransform
from hierseg.errors import UsageError
from hierseg.size import Size

IGNORE = 255


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blocks(height: int = 96, width: int = 128, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A label map of large blocks of ids 1 to 7, and an image whose colours spell the id."""
    small = torch.randint(1, 8, (height // 16, width // 16), generator=seeded(seed))
    labels = small.repeat_interleave(16, 0).repeat_interleave(16, 1)
    image = torch.stack([(labels >> bit & 1) * 255 for bit in range(3)]).to(torch.uint8)
    return image, labels.to(torch.uint8)


def spelled(image: Tensor) -> Tensor:
    return torch.stack([(image[bit] > 127).int() << bit for bit in range(3)]).sum(0)


def inner(labels: Tensor) -> Tensor:
    """Pixels whose 5x5 neighbourhood is inside and has one label."""
    padded = torch.nn.functional.pad(labels[None, None].float(), (2, 2, 2, 2), value=-1)
    high = torch.nn.functional.max_pool2d(padded, 5, 1)
    low = -torch.nn.functional.max_pool2d(-padded, 5, 1)
    return (high == low)[0, 0]


def where(name: str, amount: float, x: float, y: float, size: Size) -> tuple[float, float]:
    """Where a point (x, y) of the image, from its centre, comes from: the definition."""
    if name == "translate-x":
        return x - round(SHIFT * amount * size.width), y
    if name == "translate-y":
        return x, y - round(SHIFT * amount * size.height)
    if name == "shear-x":
        return x + SHEAR * amount * y, y
    if name == "shear-y":
        return x, y + SHEAR * amount * x
    angle = math.radians(ANGLE * amount)
    return (
        math.cos(angle) * x + math.sin(angle) * y,
        -math.sin(angle) * x + math.cos(angle) * y,
    )


@pytest.mark.parametrize("amount", [-1.0, -0.3, 0.5, 1.0])
@pytest.mark.parametrize("name", MOTIONS)
def test_labels_and_image_move_as_defined(name: str, amount: float) -> None:
    image, labels = blocks()
    new_image, new_labels = move_pair(image, labels, [MOTIONS[name](amount)], IGNORE)
    height, width = labels.shape
    expected = torch.full_like(labels, IGNORE)
    for row in range(height):
        for column in range(width):
            x, y = where(
                name, amount, column + 0.5 - width / 2, row + 0.5 - height / 2, Size(height, width)
            )
            source = math.floor(y + height / 2), math.floor(x + width / 2)
            if 0 <= source[0] < height and 0 <= source[1] < width:
                expected[row, column] = labels[source]
    same = new_labels == expected
    assert same.float().mean() > 0.98  # but for ties on the grid
    assert same[inner(expected)].all()
    counted = (new_labels != IGNORE) & inner(new_labels)
    assert counted.float().mean() > 0.2
    assert torch.equal(spelled(new_image)[counted], new_labels[counted].int())
    bare = (new_labels == IGNORE) & inner(new_labels)
    assert (new_labels == IGNORE).any()
    assert (new_image[:, bare] == 0).all()


def test_whatever_is_drawn_image_and_labels_agree() -> None:
    image, labels = blocks()
    augment = RandAugment(4, STRONGEST)
    moved = 0
    for seed in range(60):
        new_image, new_labels = augment(image, labels, seeded(seed), 99)
        assert new_image.shape == image.shape
        assert new_labels.shape == labels.shape
        assert new_image.dtype == new_labels.dtype == torch.uint8
        assert set(new_labels.unique().tolist()) <= {*range(1, 8), 99}
        bare = new_labels == 99
        moved += int(bare.any())
        assert (new_image[:, bare & inner(new_labels)] == 0).all()
    assert 30 < moved <= 60


def test_colours_leave_the_labels_alone_and_change_the_image() -> None:
    image = torch.randint(30, 220, (3, 32, 32), dtype=torch.uint8, generator=seeded(0))
    for name, change in COLORS.items():
        changed = change(image, 0.8)
        assert changed.shape == image.shape
        assert torch.equal(changed, image) == (name == "identity"), name


def test_colours_do_what_their_names_say() -> None:
    image = torch.randint(30, 220, (3, 32, 32), dtype=torch.uint8, generator=seeded(0))
    values = image.int()
    assert torch.equal(
        COLORS["solarize"](image, -0.5).int(), torch.where(values >= 127.5, 255 - values, values)
    )
    assert torch.equal(COLORS["posterize"](image, 0.5).int(), values & 0b11111100)
    brighter = COLORS["brightness"](image, -0.5).float()
    assert (brighter - image.float() * (1 - 0.45)).abs().max() <= 1
    grey = COLORS["saturation"](image, -1.0).float()
    assert grey.std(0).mean() < 0.2 * image.float().std(0).mean()
    assert COLORS["contrast"](image, -1.0).float().std() < 0.2 * image.float().std()
    assert COLORS["contrast"](image, 0.2).float().std() > 1.1 * image.float().std()
    assert int(COLORS["autocontrast"](image, 0.0).max()) == 255
    rough = [COLORS["sharpness"](image, amount).float().diff().abs().mean() for amount in (-1, 1)]
    assert rough[0] < image.float().diff().abs().mean() < rough[1]
    shares = np.histogram(COLORS["equalize"](image, 0.0).numpy(), 4, (0, 256))[0]
    assert shares.min() > 0.8 * shares.max()


def test_all_steps_come_up_alike_and_with_both_signs() -> None:
    augment = RandAugment(1, 15)
    generator = seeded(1)
    drawn = [augment._draw(generator) for _ in range(2800)]
    counts = [sum(name == step for name, _ in drawn) for step in STEPS]
    assert len(STEPS) == 14
    assert min(counts) > 140
    assert max(counts) < 260
    assert {amount for _, amount in drawn} == {-0.5, 0.5}
    assert abs(sum(amount for _, amount in drawn)) < 100


def test_a_draw_comes_from_the_generator_alone() -> None:
    image, labels = blocks()
    augment = RandAugment(2, 20)
    first = augment(image, labels, seeded(5), IGNORE)
    torch.manual_seed(3)
    second = augment(image, labels, seeded(5), IGNORE)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    pictures = {augment(image, labels, seeded(s), IGNORE)[0].numpy().tobytes() for s in range(20)}
    assert len(pictures) >= 12


def test_strength_nought_leaves_places_and_half_moves_half_as_far() -> None:
    image, labels = blocks()
    for seed in range(30):
        assert torch.equal(RandAugment(3, 0)(image, labels, seeded(seed), IGNORE)[1], labels)
    assert MOTIONS["rotate"](0.5).angle == 15
    assert MOTIONS["translate-x"](-0.5).right == -0.225
    assert math.tan(math.radians(MOTIONS["shear-y"](0.5).shear[1])) == pytest.approx(0.15)


def test_the_transform_applies_it_and_pads_around_it() -> None:
    image, labels = blocks()
    transform = TrainingTransform(
        Size(120, 160), 1.0, 1.0, 0.5, 0.0, ignore=99, rand_augment=RandAugment(3, 30)
    )
    bare = []
    for seed in range(30):
        new_image, new_labels = transform(image, labels, seeded(seed))
        assert new_image.shape == (3, 120, 160)
        ignored = new_labels == 99
        bare.append(int(ignored.sum()) - (120 * 160 - 96 * 128))
        assert (new_image[:, ignored & inner(new_labels)] == 0).all()
    assert min(bare) == 0
    assert max(bare) > 1000


@pytest.mark.parametrize("text", ["", "2", "2;9", "a,b", "2,9,1", "0,9", "11,9", "2,31", "-1,3"])
def test_another_form_names_the_flag(text: str) -> None:
    with pytest.raises(UsageError, match=r"--data\.rand-augment"):
        RandAugment.parse(text)


def test_the_form_is_steps_and_strength() -> None:
    assert RandAugment.parse("2,9") == RandAugment(2, 9.0)
    assert RandAugment.parse("3, 4.5") == RandAugment(3, 4.5)
