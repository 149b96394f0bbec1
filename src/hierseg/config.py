"""A training run's whole configuration: frozen dataclasses; a field's docstring is its help."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hierseg.size import Size


@dataclass(frozen=True)
class ModelConfig:
    """Which network, and how it is run while it trains."""

    name: str = "lite0-ocr-hier"
    """Network by its registry name (`hierseg models` lists them)."""
    pretrained: bool = True
    """Start from ImageNet weights of the trunk where they can be had."""
    init_trunk: Path | None = None
    """Start the trunk from this file: an ImageNet classifier of HRNetV2, WideResNet-38 or
    Xception-71 as published, what `hierseg convert` made of one, or any checkpoint."""
    weights: str | None = None
    """Start the network from a checkpoint file (a published one, too), a run folder, or packaged
    weights (published: snapshot)."""
    replace_head: bool = False
    """Let what tells the classes apart start anew where the weights have others, and attention over
    scales where they have none."""
    train_scales: tuple[float, ...] | None = None
    """Scales of a training step; the network's own where none are given (0.5 1 as in HMSA section
    3.1 for hierarchical networks)."""
    freeze_trunk: bool = False
    """Leave the trunk as it starts: neither its weights nor its batch norms' statistics change."""
    freeze_norms: bool = False
    """Leave the statistics, scales and shifts of the trunk's batch norms as they start."""
    grad_checkpoint: bool = False
    """Compute the trunk's blocks again in the backward pass instead of keeping what is in them:
    less memory, more time, the same gradients."""
    compile: bool = False
    """Compile the network for training with torch.compile."""

    @property
    def from_imagenet(self) -> bool:
        """Whether ImageNet weights are to be looked for: not where a file is named instead."""
        return self.pretrained and self.init_trunk is None and self.weights is None


@dataclass(frozen=True)
class DataConfig:
    """What is trained on, and its augmentation (METHOD section 6)."""

    name: str = "cityscapes"
    """Data set: camvid, cityscapes, folder, kitti, mapillary, mapillary-v2.0, or a file (.yaml,
    .json) that describes your own."""
    root: Path | None = None
    """Folder that holds the data set; a file that describes one says by itself."""
    train_split: str = "train"
    """Split that is trained on."""
    val_split: str = "val"
    """Split that is evaluated on."""
    cv: int = 0
    """Cross-validation split: 0 is Cityscapes' standard one; 0 to 2 of Cityscapes and KITTI hold
    out a part each, 3 holds out nothing."""
    labels: Literal["fine", "coarse", "auto"] = "fine"
    """Labels of the training split (published: only_coarse is coarse with the split
    train_extra)."""
    extra: Literal["none", "coarse", "auto"] = "none"
    """Labels with which further images join the training split: coarse ones of Cityscapes'
    train_extra, or what `hierseg autolabel` made for any data."""
    palette: Literal["indices", "values"] | None = None
    """What label maps with a palette of greys hold, as lossless optimisers write: places in it, or
    the greys; a file that describes data says by itself."""
    auto_root: Path | None = None
    """Folder that `hierseg autolabel` wrote; by default autolabelled in that of the data set."""
    boost_classes: tuple[str, ...] | None = None
    """Classes, by train id or name, whose crops are drawn from the extra images too (published:
    coarse_boost_classes); by default 3 4 6 7 9 and 11 to 18 of Cityscapes, of others all."""
    auto_threshold: float = 0.5
    """Confidence below which pixels of auto-labels are ignored (published: custom_coarse_prob)."""
    from_coarse: tuple[str, ...] | None = None
    """Classes, by train id or name, that auto-labels of Cityscapes take from its coarse labels
    (published: custom_coarse_dropout_classes); by default 14 15 16."""
    mask_outer: bool = False
    """Ignore coarse and auto-labels near the image's edges (published: mask_out_cityscapes)."""
    long_edge: int | None = None
    """Pixels that the longer side of every image is brought to first, in training and validation
    (published: pre_size)."""
    enlarge: float = 1.0
    """Factor that every image is resized by first, in training and validation, where no long edge
    is given (published: scf doubles KITTI's)."""
    val_crop: Size | None = None
    """Validate on the central crop of this size alone (published: map_crop_val)."""
    class_uniform: float = 0.5
    """Share of an epoch that is crops around the classes, the same number of each; 0 takes every
    image once (published: class_uniform_pct)."""
    class_uniform_tile: int = 1024
    """Side in pixels of the tiles in which the classes' centroids are found."""
    extra_until: int | None = None
    """Epochs in which extra sources are drawn from (published: max_cu_epoch); all where none is
    given."""
    crop: Size = Size(512, 1024)
    """Training crop, HEIGHTxWIDTH."""
    scale_min: float = 0.5
    """Smallest factor of the random scale."""
    scale_max: float = 2.0
    """Largest factor of the random scale."""
    flip: float = 0.5
    """Probability of a horizontal flip."""
    color_jitter: float = 0.25
    """Strength of the jitter in brightness, contrast, saturation and hue; 0 turns it off."""
    blur: Literal["none", "gaussian", "bilateral"] = "none"
    """Blur of the image by an amount drawn anew for each sample; bilateral spares edges (published:
    gblur, bblur)."""
    rand_augment: str | None = None
    """RandAugment on image and labels together, as N,M: 2,9 is two steps of strength 9, of 30
    (published: rand_augment)."""
    batch: int = 8
    """Images a step and process."""
    workers: int = 2
    """Worker processes that load images; 0 loads in the training process."""
    verify: bool = False
    """Record a checksum of every file at the start, and compare all when the run is resumed; sizes
    and times are compared always."""


@dataclass(frozen=True)
class LossConfig:
    """The training loss: main + auxiliary + per-scale terms (METHOD section 2)."""

    main: Literal["cross_entropy", "rmi", "image_weighted", "boundary_relaxed"] = "cross_entropy"
    """Main criterion on the fused logits."""
    auxiliary_weight: float = 0.4
    """Weight of the auxiliary logits' loss."""
    per_scale_weight: float = 0.0
    """Weight of the losses of each training scale's own logits (0.05 in the published recipes)."""
    lovasz_weight: float = 0.0
    """Weight of a Lovász-softmax term on the fused logits, a surrogate of mean IoU, beside the main
    criterion; to finish with, from weights that know the classes."""
    auxiliary_rmi: bool = False
    """Hold the auxiliary logits to RMI too, instead of its BCE (published: ocr_aux_loss_rmi)."""
    weight_bound: float = 1.0
    """How far class weights of image_weighted and boundary_relaxed rise above 1 (published:
    wt_bound)."""
    sum_images: int | None = None
    """Scale the sum over a step's images, which image_weighted and boundary_relaxed are, to so many
    images; 2 is as published, where the sums over 2 of each process are averaged over all. None for
    as many as the step has."""
    weighting: Literal["share", "inverse"] = "share"
    """Class weights of image_weighted, by the share of the class in the image: 1 + bound *
    (1 - share), or 1 + bound / share."""
    strict_border_classes: tuple[str, ...] = ()
    """Classes, by train id or name, that boundary_relaxed holds to their own label (published:
    strict_bdr_cls)."""
    relax_until: int | None = None
    """Epochs in which boundary_relaxed relaxes; after them borders count twice (published:
    rlx_off_epoch). All epochs where none is given."""


@dataclass(frozen=True)
class OptimConfig:
    """Optimiser and schedule (METHOD section 5)."""

    optimizer: Literal["sgd", "adam", "adamw", "radam"] = "sgd"
    """Optimiser."""
    amsgrad: bool = False
    """AMSGrad's form of adam and adamw."""
    lr: float = 5e-3
    """Base learning rate."""
    trunk_lr_factor: float = 1.0
    """The trunk learns at this factor times the base rate."""
    momentum: float = 0.9
    """Momentum of SGD."""
    weight_decay: float = 1e-4
    """Weight decay."""
    decay_norms: bool = True
    """Let weight decay act on norms and biases too, as published."""
    clip_norm: float = 0.0
    """Largest norm of all gradients together; above it they are scaled down. 0 for no limit."""
    accumulate: int = 1
    """Batches whose gradients make one step, as one larger batch would."""
    epochs: int = 175
    """Epochs to train."""
    schedule: Literal["poly", "scl-poly", "poly2", "cosine"] = "poly"
    """How the rate falls (published: lr_schedule): poly and cosine to zero; scl-poly begins anew at
    turn, times rescale and by turn-exponent; poly2 doubles the exponent at turn."""
    poly_exponent: float = 2.0
    """Exponent e of lr * (1 - progress)^e."""
    turn: int = 110
    """Epoch at which scl-poly and poly2 turn (published: poly_step)."""
    turn_exponent: float = 1.5
    """Exponent of scl-poly from turn on (published: repoly)."""
    rescale: float = 1.0
    """Factor of scl-poly's rate from turn on."""
    schedule_unit: Literal["epoch", "step"] = "epoch"
    """Whether the rate falls once an epoch (as published) or every step."""
    warmup_steps: int = 0
    """Steps over which the rate rises linearly from near zero."""
    ema_decay: float = 0.0
    """Decay a step of the moving average of weights that is evaluated and saved; 0 turns it off."""


@dataclass(frozen=True)
class EvalConfig:
    """Validation during training."""

    scales: tuple[float, ...] | None = None
    """Scales at validation, with 1 among them; the network's own where none are given. The
    checkpoint keeps them as its default."""
    flip: bool = False
    """Average with the horizontal flip."""
    every: int = 1
    """Epochs from one validation to the next; the last epoch is always validated."""


@dataclass(frozen=True)
class RuntimeConfig:
    """Where and how the run is executed."""

    out: Path | None = None
    """Run folder; it must be empty or new unless the run is resumed."""
    resume: bool = False
    """Continue the run in `out` from its last checkpoint."""
    seed: int = 0
    """Seed; a sample's randomness comes from (seed, epoch, index)."""
    device: str = "auto"
    """auto, cpu, cuda, or cuda:N."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the network: fp32, bf16 (mixed), or fp16 (mixed, GPU only)."""
    log_every: int = 10
    """Steps from one row of the step journal to the next."""
    save_steps: int = 0
    """Steps from one checkpoint within an epoch to the next; 0 for none. Each epoch ends in one."""
    save_minutes: float = 10.0
    """Minutes from one checkpoint within an epoch to the next; 0 for none."""
    keep: int = 2
    """Checkpoints to resume from that are kept, the last ones."""
    limit_batches: int | None = None
    """A dry run: so many steps an epoch, and so many images at validation."""
    sync_norm: bool = True
    """Let batch norms see the batches of all processes, where there are several (published:
    syncbn)."""
    deterministic: bool = False
    """Take algorithms that give the same result every time, slower ones on a GPU."""


@dataclass(frozen=True)
class Experiment:
    """Everything that a training run depends on."""

    recipe: str = "custom"
    """Name of the recipe that this experiment began as."""
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold: paths as strings, sizes as HEIGHTxWIDTH."""
        result = _plain(self)
        assert isinstance(result, dict)
        return result


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Size | Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
