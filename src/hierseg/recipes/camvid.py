"""Recipes for CamVid: 367 training frames of 360x480, 11 classes."""

from __future__ import annotations

from dataclasses import replace

from hierseg.config import (
    DataConfig,
    EvalConfig,
    Experiment,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RuntimeConfig,
)
from hierseg.size import Size


def camvid_lite0() -> Experiment:
    """The small network on CamVid.

    Command: hierseg train camvid-lite0 --data.root CAMVID --runtime.out runs/camvid-lite0
    Hardware: two CPU cores with bf16 (AVX512-BF16 or AMX).
    Time: 75 minutes on one core with the other busy; about 40 on two by the speed of single steps.
    Expected mIoU: 0.714 on val at 0.5 1 2, void ignored, one matrix over all 101 frames (one seed).
    """
    return Experiment(
        recipe="camvid-lite0",
        model=ModelConfig(name="lite0-ocr-hier"),
        data=DataConfig(
            name="camvid",
            class_uniform=0.0,
            class_uniform_tile=128,
            crop=Size(352, 480),
            scale_min=0.75,
            scale_max=2.4,
            batch=4,
            workers=2,
        ),
        loss=LossConfig(
            main="image_weighted", weighting="inverse", weight_bound=0.02, auxiliary_weight=0.4
        ),
        optim=OptimConfig(
            optimizer="adamw",
            lr=1e-3,
            trunk_lr_factor=0.3,
            weight_decay=1e-2,
            epochs=25,
            poly_exponent=1.0,
            schedule_unit="step",
            warmup_steps=100,
            ema_decay=0.995,
        ),
        eval=EvalConfig(scales=(0.5, 1.0, 2.0), every=5),
        runtime=RuntimeConfig(precision="bf16"),
    )


def streetlite() -> Experiment:
    """The packaged model streetlite, first stage: on CamVid, from weights of Miniature Streets.

    Command: hierseg train streetlite --data.root CAMVID --runtime.out runs/streetlite
    Hardware: two CPU cores with bf16 (AVX512-BF16 or AMX).
    Time: 27 minutes on one core with the other busy.
    Expected mIoU: 0.707 on val at 0.5 1 2 (three seeds, spread 0.007), 0.717 after `hierseg adjust`
    (one seed).
    """
    base = camvid_lite0()
    return replace(
        base,
        recipe="streetlite",
        model=replace(base.model, weights="streets-lite0", replace_head=True),
        data=replace(base.data, class_uniform=0.5),
        optim=replace(base.optim, lr=2e-3, epochs=10, warmup_steps=50),
        eval=replace(base.eval, every=10),
    )


def streetlite_finish() -> Experiment:
    """The packaged model streetlite, second stage: with a surrogate of mean IoU in the loss.

    Command: hierseg train streetlite-finish --data.root CAMVID --init RUN --runtime.out runs/finish
    Start: the run of streetlite; from ImageNet weights (without --init) it is too short.
    Hardware: as streetlite.
    Time: 37 minutes on one core with the other busy.
    Expected mIoU: 0.732 on val at 0.5 1 2 (one seed), 0.740 after `hierseg adjust`.
    """
    base = streetlite()
    return replace(
        base,
        recipe="streetlite-finish",
        model=replace(base.model, weights=None, replace_head=False),
        loss=replace(base.loss, lovasz_weight=1.0),
        optim=replace(base.optim, lr=1.5e-3, epochs=12, warmup_steps=20),
        eval=replace(base.eval, every=12),
    )


def streetlite_polish() -> Experiment:
    """The packaged model streetlite, last stage: after streetlite-finish, with milder settings.

    Command: hierseg train streetlite-polish --data.root CAMVID --init RUN --runtime.out runs/polish
    Start: the run of streetlite-finish; from ImageNet weights (without --init) it is too short.
    Hardware: as streetlite.
    Time: 25 minutes on one core with the other busy.
    Expected mIoU: 0.746 on val at 0.5 1 2 (three seeds of all stages, spread 0.002), 0.746 after
    `hierseg adjust` (spread 0.004).
    """
    base = streetlite_finish()
    return replace(
        base,
        recipe="streetlite-polish",
        loss=replace(base.loss, lovasz_weight=2.0),
        optim=replace(base.optim, lr=1e-3, epochs=7),
        eval=replace(base.eval, every=7),
    )


def streetlite_weather() -> Experiment:
    """The packaged model streetlite, fourth stage: after streetlite-polish, on degraded frames too.

    Command: hierseg train streetlite-weather --data.root CAMVID --init RUN --data.also
    streets-as-camvid.yaml --data.also-root STREETS --data.also-share 0.15 --runtime.out runs/last
    Data: STREETS by `hierseg streets --out STREETS --count 1500 --size 360x480 --val-fraction
    0.02`; examples/data has the description. Without --data.also the figures may differ.
    Start: the run of streetlite-polish; from ImageNet weights (without --init) it is too short.
    Hardware: as streetlite.
    Time: 27 minutes on one core with the other busy.
    Expected mIoU: 0.754 on val at 0.5 1 2 (one seed), 0.755 after `hierseg adjust`.
    """
    base = streetlite_polish()
    return replace(
        base,
        recipe="streetlite-weather",
        data=replace(base.data, degrade=0.5),
        optim=replace(base.optim, lr=1.5e-3, epochs=10),
        eval=replace(base.eval, every=10),
    )


def streetlite_clear() -> Experiment:
    """The packaged model streetlite, last stage: after streetlite-weather, fewer degraded frames.

    Command: hierseg train streetlite-clear --data.root CAMVID --init RUN --runtime.out runs/clear
    Start: the run of streetlite-weather; from ImageNet weights (without --init) it is too short.
    Hardware: as streetlite.
    Time: 23 minutes on one core with the other busy.
    Expected mIoU: 0.756 on val at 0.5 1 2 (three seeds, spread 0.003).
    """
    base = streetlite_weather()
    return replace(
        base,
        recipe="streetlite-clear",
        data=replace(base.data, degrade=0.3),
        optim=replace(base.optim, lr=1e-3, epochs=8),
        eval=replace(base.eval, every=8),
    )


def camvid_lite0_auto() -> Experiment:
    """The small network on CamVid's labelled frames and on auto-labelled frames.

    Command: hierseg train camvid-lite0-auto --data.root CAMVID --runtime.out runs/camvid-auto
    Data: CamVid, and auto-labels of any frames of its classes by `hierseg autolabel --out
    CAMVID/autolabelled`; name another folder with --data.auto-root.
    Hardware: two CPU cores with bf16 (AVX512-BF16 or AMX).
    Time: that of camvid-lite0, and as much again for as many further frames; not measured.
    Expected mIoU: not measured; docs/results.md has both kinds of labels on a third of the frames,
    where a weak teacher made it worse.
    """
    base = camvid_lite0()
    return replace(
        base, recipe="camvid-lite0-auto", data=replace(base.data, extra="auto", auto_threshold=0.5)
    )


def camvid_hrnet18s() -> Experiment:
    """HRNet-W18 small v2 on CamVid: the published form of trunk, from random weights unless given.

    Command: hierseg train camvid-hrnet18s --data.root CAMVID --runtime.out runs/camvid-hrnet18s
    Hardware: one GPU, or CPU cores and patience.
    Time: not measured.
    Expected mIoU: not measured.
    """
    base = camvid_lite0()
    return replace(
        base,
        recipe="camvid-hrnet18s",
        model=replace(base.model, name="hrnet18s-ocr-hier"),
        optim=replace(base.optim, trunk_lr_factor=1.0, epochs=60),
    )
