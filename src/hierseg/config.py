"""The whole configuration of a training run, as frozen dataclasses. A field's docstring is the help
of its flag.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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
    """Start the trunk from ImageNet weights where they are available."""
    init_trunk: Path | None = None
    """Start the trunk from this file: a published ImageNet classifier of HRNetV2, WideResNet-38 or
    Xception-71, its form by `hierseg convert`, or any checkpoint."""
    weights: str | None = None
    """Start the network from a checkpoint file (published ones too), a run folder, or packaged
    weights (published: snapshot)."""
    replace_head: bool = False
    """Start the classification layers from random weights if the weights have other classes, and
    the attention over scales if the weights have none."""
    skip_mismatched: bool = False
    """Start from the tensors of the weights that fit by name and shape, and list those that do not;
    the rest of the network starts from random weights."""
    attention_channels: int | None = None
    """Channels of the attention over scales; by default the network's own, 256 as published
    (published: segattn_bot_ch)."""
    attention_second: bool = True
    """Give the attention over scales its second 3x3 convolution (off is the published
    mscale_no3x3)."""
    attention_dropout: float = 0.0
    """Probability of dropping a value before the attention's last convolution, in training; 0.5 is
    the published mscale_dropout."""
    attention_norm: bool = False
    """Give explicit attention a batch norm (published: attnscale_bn_head); the other kinds always
    have one."""
    attention_even: bool = False
    """Start the attention from 0.5 everywhere, by zeros in its last convolution, instead of from
    random weights; explicit attention starts with equal weights (published: mscale_init)."""
    align_corners: bool = False
    """Resize images, features and logits with aligned corners, as the vplr networks do without this
    flag (published: align_corners)."""
    aspp_channels: int | None = None
    """Channels of each branch of ASPP; by default 256 (published: aspp_bot_ch)."""
    aspp_pool: int | None = None
    """Side of the window that ASPP pools, in pixels of its feature (stride 8; HRNet: 4), so that
    larger images are pooled as a training crop is; by default the whole image."""
    train_scales: tuple[float, ...] | None = None
    """Scales of a training step; by default the network's own (0.5 1 as in HMSA section 3.1 for
    hierarchical networks)."""
    freeze_trunk: bool = False
    """Keep the trunk's weights and its batch norms' statistics as they start."""
    freeze_norms: bool = False
    """Keep the statistics, scales and shifts of the trunk's batch norms as they start."""
    grad_checkpoint: bool = False
    """Recompute the trunk's blocks in the backward pass instead of storing their activations: less
    memory, more time, the same gradients."""
    compile: bool = False
    """Compile the network for training with torch.compile."""

    @property
    def from_imagenet(self) -> bool:
        """Whether the trunk starts from ImageNet weights, since no file of weights is named."""
        return self.pretrained and self.init_trunk is None and self.weights is None


@dataclass(frozen=True)
class DataConfig:
    """What is trained on, and its augmentation (METHOD section 6)."""

    name: str = "cityscapes"
    """Data set: camvid, cityscapes, folder, kitti, mapillary, mapillary-v2.0, or a file (.yaml,
    .json) that describes your own. synthetic makes up images and labels of the crop's size, with
    the recipe's classes, and reads no files: to time training."""
    root: Path | None = None
    """Folder of the data set; not needed for a description file that names its own."""
    train_split: str = "train"
    """Split to train on, or several as one: train+val."""
    val_split: str = "val"
    """Split to validate on, or several as one."""
    cv: int = 0
    """Cross-validation split: 0 is Cityscapes' standard one; 0 to 2 of Cityscapes and KITTI each
    hold out a part, as published, 3 holds out nothing."""
    labels: Literal["fine", "coarse", "auto"] = "fine"
    """Labels of the training split (published: only_coarse is coarse with the split
    train_extra)."""
    extra: Literal["none", "coarse", "auto", "propagated"] = "none"
    """Labels of further images that join the training split: coarse, those of Cityscapes'
    train_extra; auto, those of `hierseg autolabel`, for any data; propagated, those of `hierseg
    propagate`."""
    extra_step: int | None = None
    """Use the propagated frames that are this many frames before and after the labelled ones
    (published: maxSkip). By default 1 with extra propagated; with coarse or auto labels, propagated
    frames join only if this is given."""
    propagated_root: Path | None = None
    """Folder that `hierseg propagate` wrote; by default propagated in the data set's folder."""
    propagated_if_found: bool = False
    """Train without propagated frames if their folder does not exist, or if no crops are drawn
    around classes."""
    palette: Literal["indices", "values"] | None = None
    """How to read label maps that are PNGs with a grey palette, as lossless optimisers write them:
    ids are the palette's indices or its grey values. A description file has its own key for
    this."""
    auto_root: Path | None = None
    """Folder that `hierseg autolabel` wrote; by default autolabelled in the data set's folder."""
    boost_classes: tuple[str, ...] | None = None
    """Classes, by train id or name, whose crops also come from the extra images (published:
    coarse_boost_classes); by default 3 4 6 7 9 and 11 to 18 of Cityscapes, all of other data."""
    auto_threshold: float = 0.5
    """Confidence below which pixels of auto-labels are ignored (published: custom_coarse_prob)."""
    from_coarse: tuple[str, ...] | None = None
    """Classes, by train id or name, that auto-labels of Cityscapes take from its coarse labels
    (published: custom_coarse_dropout_classes); by default 14 15 16."""
    coarse_rule: Literal["union", "coarse"] = "union"
    """How the classes of from_coarse are taken: with union, as published, a pixel has such a class
    if either label says so, and the threshold applies to it; with coarse it has the coarse label,
    whatever the confidence."""
    mask_outer: bool = False
    """Ignore coarse and auto-labels near the image's edges (published: mask_out_cityscapes)."""
    long_edge: int | None = None
    """Resize every image to this length of the longer side, in training and validation (published:
    pre_size)."""
    short_edge: int | None = None
    """Resize every image to this length of the shorter side, in training and validation."""
    enlarge: float = 1.0
    """Factor to resize every image by, in training and validation, if neither edge is given
    (published: scf doubles KITTI's)."""
    val_short_edge: int | None = None
    """Length of the shorter side in validation, instead of the one in training."""
    val_crop: Size | None = None
    """Validate only on the central crop of this size (published: map_crop_val, 1536x1536 with a
    short edge of 1536 in validation)."""
    class_uniform: float = 0.5
    """Share of an epoch's crops that are drawn around classes, equally many for each class; 0 takes
    every image once (published: class_uniform_pct)."""
    class_uniform_tile: int = 1024
    """Side in pixels of the tiles in which the classes' centroids are found."""
    also: str | None = None
    """Another data set that a share of every epoch comes from, with labels of its own and the same
    classes: a name or a file, as `--data.name`. A file may map other classes to these."""
    also_root: Path | None = None
    """Folder of the other data set; not needed for a description file that names its own."""
    also_split: str = "train"
    """Split of the other data set, or several as one."""
    also_share: float = 0.25
    """Share of an epoch's samples that come from the other data set, above 0 and below 1; epochs
    keep their length, and `class_uniform` holds within either part."""
    extra_until: int | None = None
    """Number of first epochs that draw from the extra sources (published: max_cu_epoch); by default
    all."""
    crop: Size = Size(512, 1024)
    """Size of a training crop, HEIGHTxWIDTH."""
    full_crop: bool = False
    """Crop to the size that an image has before the random scale, instead of `crop` (published:
    full_crop_training). All images must have one size, unless the batch is 1."""
    scale_min: float = 0.5
    """Smallest factor of the random scale."""
    scale_max: float = 2.0
    """Largest factor of the random scale."""
    flip: float = 0.5
    """Probability of a horizontal flip."""
    color_jitter: float = 0.25
    """Strength of the jitter in brightness, contrast, saturation and hue; 0 turns it off."""
    blur: Literal["none", "gaussian", "bilateral"] = "none"
    """Blur of the image by a random amount; bilateral keeps edges (published: gblur, bblur)."""
    degrade: float = 0.0
    """Probability that an image is degraded in one way that is drawn, by a random strength: noise,
    motion blur, defocus, JPEG, haze, rain, dusk, night, low contrast. A network trained so has seen
    most kinds of corruption that `hierseg evaluate --corruptions` measures."""
    rand_augment: str | None = None
    """RandAugment on image and labels, as N,M: 2,9 is two steps of strength 9, of 30 (published:
    rand_augment)."""
    batch: int = 8
    """Images per step in each process."""
    workers: int = 2
    """Worker processes that load images; 0 loads in the training process."""
    verify: bool = False
    """Record a checksum of every file at the start, and compare the checksums when the run is
    resumed. Sizes and times are always compared."""


LOSSES_WITH: Mapping[str, tuple[str, ...]] = {
    "auxiliary_rmi": ("rmi",),
    "weight_bound": ("image_weighted", "boundary_relaxed"),
    "weighting": ("image_weighted",),
    "sum_images": ("image_weighted", "boundary_relaxed"),
    "batch_weights": ("image_weighted",),
    "strict_border_classes": ("boundary_relaxed",),
    "relax_until": ("boundary_relaxed",),
}
"""Settings of the loss that act on some main criteria alone -> those criteria."""
LABEL_RULES = ("boost_classes", "auto_threshold", "from_coarse", "coarse_rule", "mask_outer")
"""Settings of the data that act on coarse, automatic or propagated labels alone."""


@dataclass(frozen=True)
class LossConfig:
    """The training loss: main + auxiliary + per-scale terms (METHOD section 2)."""

    main: Literal["cross_entropy", "rmi", "image_weighted", "boundary_relaxed"] = "cross_entropy"
    """Main criterion, on the fused logits."""
    auxiliary_weight: float = 0.4
    """Weight of the loss of the auxiliary logits."""
    per_scale_weight: float = 0.0
    """Weight of the loss of each training scale's own logits (0.05 in the published recipes)."""
    lovasz_weight: float = 0.0
    """Weight of the Lovász-softmax loss, a surrogate of mean IoU, on the fused logits beside the
    main criterion; for the end of training."""
    auxiliary_rmi: bool = False
    """Use RMI for the auxiliary logits too, instead of its BCE alone (published:
    ocr_aux_loss_rmi)."""
    weight_bound: float = 1.0
    """Largest amount by which class weights of image_weighted and boundary_relaxed exceed 1
    (published: wt_bound)."""
    sum_images: int | None = None
    """Scale image_weighted and boundary_relaxed, which are sums over a step's images, to this
    number of images; by default the step's own. The published runs correspond to 2: each process
    sums over 2 images, and the processes are averaged."""
    weighting: Literal["share", "inverse"] = "share"
    """Class weights of image_weighted, from the class's share of the image: share gives 1 + bound *
    (1 - share), inverse gives 1 + bound / share."""
    batch_weights: bool = False
    """Take the class shares of image_weighted from a process's whole batch, not from each image
    (published: batch_weighting)."""
    strict_border_classes: tuple[str, ...] = ()
    """Classes, by train id or name, that boundary_relaxed does not relax (published:
    strict_bdr_cls)."""
    relax_until: int | None = None
    """Last epoch, counted from 0, in which boundary_relaxed relaxes; in later epochs boundary
    pixels count twice (published: rlx_off_epoch). By default it relaxes in all epochs."""


@dataclass(frozen=True)
class DistillConfig:
    """Distillation: a trained network, the teacher, whose outputs are learned beside the labels."""

    teacher: str | None = None
    """Weights of the teacher, with the same classes: a checkpoint file, a run folder, or packaged
    weights. Its softmax is learned at every pixel, including pixels whose label is ignored."""
    scales: tuple[float, ...] | None = None
    """Scales of the teacher; by default its own."""
    temperature: float = 1.0
    """The logits of teacher and student are divided by this before they are compared."""
    weight: float = 1.0
    """Weight of the distillation loss beside the loss of the labels."""
    weight_bound: float = 0.0
    """Let pixels of rare classes weigh more in the distillation loss, as image_weighted does by the
    inverse weighting: 1 + weight_bound / the share that the class has of the image, by the teacher.
    With 0 all weigh alike."""


@dataclass(frozen=True)
class OptimConfig:
    """Optimiser and schedule (METHOD section 5)."""

    optimizer: Literal["sgd", "adam", "adamw", "radam"] = "sgd"
    """Optimiser."""
    amsgrad: bool = False
    """Use the AMSGrad form of adam and adamw."""
    lr: float = 5e-3
    """Base learning rate."""
    trunk_lr_factor: float = 1.0
    """Factor that multiplies the learning rate of the trunk."""
    momentum: float = 0.9
    """Momentum of SGD."""
    weight_decay: float = 1e-4
    """Weight decay."""
    decay_norms: bool = True
    """Apply weight decay to norm layers and biases too, as published."""
    clip_norm: float = 0.0
    """Largest norm of all gradients together; larger gradients are scaled down to it. 0 for no
    limit."""
    accumulate: int = 1
    """Number of batches whose gradients are accumulated for one step, as if one larger batch."""
    epochs: int = 175
    """Number of epochs."""
    schedule: Literal["poly", "scl-poly", "poly2", "cosine"] = "poly"
    """Learning-rate schedule (published: lr_schedule): poly and cosine fall to zero; scl-poly
    restarts at turn, scaled by rescale, with turn-exponent; poly2 doubles the exponent at turn."""
    poly_exponent: float = 2.0
    """Exponent e of lr * (1 - progress)^e."""
    turn: int = 110
    """Epoch at which scl-poly and poly2 change (published: poly_step)."""
    turn_exponent: float = 1.5
    """Exponent of scl-poly from turn on (published: repoly)."""
    rescale: float = 1.0
    """Factor of scl-poly's rate from turn on."""
    schedule_unit: Literal["epoch", "step"] = "epoch"
    """Whether the learning rate falls every epoch (as published) or every step."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises linearly from near zero."""
    ema_decay: float = 0.0
    """Decay per step of the moving average of the weights, which is evaluated and saved; 0 turns it
    off."""


@dataclass(frozen=True)
class EvalConfig:
    """Validation during training."""

    scales: tuple[float, ...] | None = None
    """Scales at validation, with 1 among them; by default the network's own. The checkpoint stores
    them as its default."""
    flip: bool = False
    """Average with the mirrored image."""
    every: int = 1
    """Epochs between validations; the last epoch is always validated."""
    precision: Literal["float32", "bf16", "fp16"] | None = None
    """Precision of the arithmetic at validation, with batch norms folded; by default the network is
    run as it is, in float32."""


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
    """Precision of the network: fp32, bf16 (mixed), or fp16 (mixed, GPU only)."""
    log_every: int = 10
    """Steps between rows of steps.csv."""
    save_steps: int = 0
    """Steps between checkpoints within an epoch; 0 for none. Each epoch ends with one."""
    save_minutes: float = 10.0
    """Minutes between checkpoints within an epoch; 0 for none."""
    keep: int = 2
    """Number of latest checkpoints that are kept for resuming."""
    limit_batches: int | None = None
    """Dry run: number of steps per epoch, and of images at validation."""
    sync_norm: bool = True
    """Synchronise batch norms over all processes (published: syncbn)."""
    deterministic: bool = False
    """Use deterministic algorithms, which are slower on a GPU."""


@dataclass(frozen=True)
class Experiment:
    """Everything that a training run depends on."""

    recipe: str = "custom"
    """Name of the recipe that this experiment began as."""
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    eval: EvalConfig = field(default_factory=EvalConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def to_dict(self) -> dict[str, Any]:
        """The experiment as JSON holds it: paths as strings, sizes as HEIGHTxWIDTH."""
        result = _plain(self)
        assert isinstance(result, dict)
        return result


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Size | Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
