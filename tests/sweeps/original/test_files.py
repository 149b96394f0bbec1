from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hierseg import cli
from hierseg.config import Experiment
from hierseg.errors import UsageError
from hierseg.settings import list_settings
from hierseg.sweeps import Sweep, read_sweep
from hierseg.sweeps.original.files import Launch, list_entries, read_launch
from hierseg.sweeps.original.flags import DEAD, JOINT, KNOWN, PLAIN, REFUSED

TRAIN = "python train.py"
# Names alone, as its users' scripts have them.
ORIGINAL = re.findall(
    r"\w+",
    """
dataset cv num_workers set_cityscapes_root pre_size map_crop_val scf maxSkip
class_uniform_pct class_uniform_tile max_cu_epoch coarse_boost_classes
custom_coarse_dropout_classes custom_coarse_prob mask_out_cityscapes only_coarse hardnm
crop_size scale_min scale_max color_aug gblur bblur brt_aug rand_augment full_crop_training
translate_aug_fix dump_augmentation_images
arch trunk n_scales mscale_lo_scale three_scale alt_two_scale ocr_aspp aspp_bot_ch segattn_bot_ch
mscale_no3x3 mscale_dropout mscale_old_arch mscale_cat_scale_flt mscale_init attnscale_bn_head
align_corners init_decoder freeze_trunk grad_ckpt
rmi_loss img_wt_loss wt_bound batch_weighting jointwtborder strict_bdr_cls rlx_off_epoch ocr_alpha
ocr_aux_loss_rmi supervised_mscale_loss_wt
optimizer amsgrad lr weight_decay momentum lr_schedule poly_exp poly_step rescale repoly max_epoch
start_epoch bs_trn bs_val
snapshot resume restore_net restore_optimizer result_dir exp trial val_freq test_mode deterministic
summary syncbn apex fp16 amp_opt_level local_rank global_rank log_msinf_to_tb
eval eval_folder do_flip multi_scale_inference extra_scales default_scale no_metrics dump_assets
dump_all_images dump_for_submission dump_for_auto_labelling dump_topn dump_topn_all
""",
)
BASE = {"dataset": "cityscapes", "arch": "ocrnet.HRNet_Mscale", "crop_size": "1024,2048"}


def write(tmp_path: Path, params: Any, command: str = TRAIN) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump({"CMD": command, "HPARAMS": params}))
    return path


def read(tmp_path: Path, params: Any, command: str = TRAIN) -> Sweep:
    return read_sweep(write(tmp_path, params, command))


def words_of(tmp_path: Path, **flags: Any) -> str:
    [run] = read(tmp_path, {**BASE, **flags}).runs
    return " " + " ".join(run.words) + " "


def test_every_flag_of_the_original_is_in_one_of_the_tables() -> None:
    tables = [set(PLAIN), set(JOINT), set(DEAD), set(REFUSED)]
    assert set(ORIGINAL) == KNOWN
    assert sum(map(len, tables)) == len(KNOWN)


def test_lists_are_a_product_and_each_run_is_named_by_what_varies(tmp_path: Path) -> None:
    sweep = read(tmp_path, {**BASE, "lr": [0.01, 0.02], "max_epoch": [10, 20, 30]})
    assert len(sweep.runs) == 6
    assert [run.name for run in sweep.runs][:2] == ["lr0.01-max_epoch10", "lr0.01-max_epoch20"]
    assert "--optim.lr 0.02 --optim.epochs 30" in " ".join(sweep.runs[-1].words)


def test_entries_inherit_from_the_first_and_one_that_is_skipped_is_dropped(tmp_path: Path) -> None:
    entries = [
        {**BASE, "lr": 0.01, "RUNX.TAG": "base-{lr}", "RUNX.SKIP": True},
        {"lr": 0.02},
        {"lr": 0.03, "max_epoch": 7, "RUNX.TAG": "short"},
        {"lr": 0.04, "RUNX.SKIP": True},
    ]
    runs = read(tmp_path, entries).runs
    assert [run.name for run in runs] == ["base-0.02", "short"]
    assert "--optim.epochs 7" in " ".join(runs[1].words)
    assert all("--data.crop 1024x2048" in " ".join(run.words) for run in runs)


def test_true_is_a_bare_flag_and_false_null_and_none_leave_it_out() -> None:
    [entry] = list_entries({"a": True, "b": False, "c": None, "d": "None", "e": 0}, {})
    assert entry.values == {"a": True, "e": 0}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python train.py", Launch(1, 1, {})),
        (
            "python -m torch.distributed.launch --nproc_per_node=8 train.py",
            Launch(8, 1, {}),
        ),
        (
            "torchrun --nproc-per-node 4 --nnodes 2 train.py --lr 0.1 --fp16 --exp=a",
            Launch(4, 2, {"lr": "0.1", "fp16": True, "exp": "a"}),
        ),
    ],
)
def test_the_launch_command(command: str, expected: Launch) -> None:
    assert read_launch(command) == expected


@pytest.mark.parametrize("command", [None, "python -m pytest", "python train.py lr 3", "a 'b"])
def test_a_launch_command_that_is_none(command: str) -> None:
    with pytest.raises(UsageError, match="CMD: "):
        read_launch(command)


def test_flags_of_the_command_are_overridden_by_the_parameters(tmp_path: Path) -> None:
    sweep = read(tmp_path, {**BASE, "lr": 0.3}, "python train.py --lr 0.1 --max_epoch 9")
    words = " ".join(sweep.runs[0].words)
    assert "--optim.lr 0.3 --optim.epochs 9" in words


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"rmi_loss": True}, "--loss.main rmi"),
        ({"img_wt_loss": True, "wt_bound": 6}, "--loss.main image_weighted"),
        ({"img_wt_loss": True, "bs_trn": 2}, "--loss.sum-images 2"),
        ({"jointwtborder": True, "strict_bdr_cls": "5,6,7"}, "--loss.strict-border-classes 5 6 7"),
        ({"rlx_off_epoch": 100, "jointwtborder": True}, "--loss.relax-until 100"),
        ({"gblur": True}, "--data.blur gaussian"),
        ({"bblur": True}, "--data.blur bilateral"),
        ({"crop_size": 640}, "--data.crop 640x640"),
        ({"coarse_boost_classes": "3,4"}, "--data.extra coarse --data.boost-classes 3 4"),
        ({"coarse_boost_classes": "3,4", "max_cu_epoch": 99}, "--data.extra-until 99"),
        ({"only_coarse": True}, "--data.train-split train_extra"),
        ({"scf": True}, "--data.enlarge 2"),
        ({"mscale_lo_scale": 0.25}, "--model.train-scales 0.25 1"),
        ({"three_scale": True}, "--model.train-scales 0.5 1 2"),
        ({"multi_scale_inference": True, "extra_scales": "0.5,2.0"}, "--eval.scales 0.5 1 2"),
        ({"n_scales": "0.25,1.0"}, "--eval.scales 0.25 1"),
        ({"lr_schedule": "scl-poly", "poly_step": 99}, "--optim.schedule scl-poly --optim"),
        ({"optimizer": "adam", "amsgrad": True}, "--optim.optimizer adam --optim.amsgrad"),
        ({"ocr_aspp": True}, "--model.name hrnet48-ocraspp-hier"),
        ({"arch": "attnscale.DeepV3R50", "attnscale_bn_head": True}, "attnscale.DeepV3R50B"),
        ({"fp16": True}, "--runtime.precision fp16"),
        ({"test_mode": True}, "--runtime.limit-batches 10"),
        ({"snapshot": "a.pth"}, "--model.weights a.pth --model.replace-head"),
        ({"data.root": "there"}, "--data.root there"),
        ({"lr": "5e-3"}, "--optim.lr 0.005"),
    ],
)
def test_what_a_flag_is_here(tmp_path: Path, flags: dict[str, Any], expected: str) -> None:
    assert expected in words_of(tmp_path, **flags)


SETTINGS = set(list_settings(Experiment().to_dict()))


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_every_setting_that_a_flag_stands_for_is_one(name: str) -> None:
    assert PLAIN[name].setting in SETTINGS


def test_a_coarse_boost_beside_auto_labels_lasts_and_says_so(tmp_path: Path) -> None:
    flags = {"custom_coarse_prob": 0.5, "coarse_boost_classes": "3", "max_cu_epoch": 150}
    sweep = read(tmp_path, {**BASE, **flags})
    assert "--data.extra-until" not in sweep.runs[0].words
    assert any("'max_cu_epoch' does nothing" in note for note in sweep.notes)


def test_a_flag_that_nobody_has_ends_with_2_and_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, {**BASE, "max_epoc": 3, "rmi_los": True})
    assert cli.main(["sweep", str(path), "-n"]) == 2
    said = capsys.readouterr()
    assert "'max_epoc' (the nearest is 'max_epoch')" in said.err
    assert "'rmi_los' (the nearest is 'rmi_loss')" in said.err
    assert said.out == ""


def test_a_dead_flag_is_said_to_be_so_and_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, {**BASE, "apex": True, "local_rank": 0, "translate_aug_fix": False})
    assert cli.main(["sweep", str(path), "-n"]) == 0
    said = capsys.readouterr().err
    assert "'apex' does nothing here" in said
    assert "'local_rank' does nothing here" in said
    assert "translate_aug_fix" not in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"mscale_no3x3": True}, "--model.no-attention-second"),
        ({"mscale_dropout": True}, "--model.attention-dropout 0.5"),
        ({"mscale_init": 0.5}, "--model.attention-even"),
        ({"align_corners": True}, "--model.align-corners"),
        ({"segattn_bot_ch": 128}, "--model.attention-channels 128"),
        ({"aspp_bot_ch": 64, "arch": "deepv3.DeepV3PlusW38"}, "--model.aspp-channels 64"),
    ],
)
def test_switches_of_a_network_are_settings(
    tmp_path: Path, flags: dict[str, object], words: str
) -> None:
    said = words_of(tmp_path, **flags)
    assert words in (said if isinstance(said, str) else " ".join(said))


def test_channels_that_a_network_has_by_itself_say_nothing(tmp_path: Path) -> None:
    said = words_of(tmp_path, segattn_bot_ch=256, aspp_bot_ch=256)
    assert "channels" not in (said if isinstance(said, str) else " ".join(said))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_flag_that_would_change_a_run_is_refused_unless_it_changes_nothing(
    tmp_path: Path, name: str
) -> None:
    idle = REFUSED[name][1]
    if idle:
        words_of(tmp_path, **{name: idle})
    with pytest.raises(UsageError, match=f"'{name}' is not supported here"):
        words_of(tmp_path, **{name: 7})


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"lr": "fast"}, "optim.lr|'lr'"),
        ({"lr": True}, "'lr' needs a value"),
        ({"crop_size": "1,2,3"}, "no crop"),
        ({"arch": "ocrnet.HRNet_Mscal"}, "ocrnet.HRNet_Mscale"),
        ({"lr": []}, "empty list"),
        ({"RUNX.TAG": "{nothing}"}, "no flag 'nothing'"),
        ({"RUNX.TAGS": "a"}, "RUNX.TAG"),
        ({"rmi_loss": True, "img_wt_loss": True}, "rmi_loss and img_wt_loss"),
        ({"eval": "test"}, "val or folder"),
        ({"eval": "val"}, "'snapshot'"),
        ({"eval": "folder", "snapshot": "a"}, "eval_folder"),
        ({"optimizer": "lion"}, "none of sgd"),
    ],
)
def test_what_cannot_be_is_a_sentence_that_names_it(
    tmp_path: Path, flags: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence) as failure:
        read(tmp_path, {**BASE, **flags})
    assert str(failure.value).startswith(str(tmp_path / "sweep.yaml"))


@pytest.mark.parametrize("params", [None, [], {}, [{"lr": 1}, None], "lr"])
def test_parameters_that_are_none(tmp_path: Path, params: Any) -> None:
    with pytest.raises(UsageError, match="HPARAMS"):
        read(tmp_path, params)


@pytest.mark.parametrize(
    ("flags", "command", "expected"),
    [
        ({"dump_for_submission": True}, "submit", ""),
        ({"dump_for_auto_labelling": True}, "autolabel", ""),
        ({"no_metrics": True, "dump_assets": True}, "predict", "--save overlay"),
        ({"dump_topn": 9}, "evaluate", "--worst 9"),
        ({"test_mode": True}, "evaluate", "--limit 10"),
        ({"do_flip": True, "n_scales": "1.0"}, "evaluate", "--scales 1 --flip"),
        ({"multi_scale_inference": True}, "evaluate", "--scales 0.5 1 2"),
        ({"arch": "deepv3.DeepV3PlusW38"}, "evaluate", ""),
        ({"set_cityscapes_root": "there"}, "evaluate", "--root there"),
    ],
)
def test_evaluations(tmp_path: Path, flags: dict[str, Any], command: str, expected: str) -> None:
    [run] = read(tmp_path, {**BASE, "eval": "val", "snapshot": "a.pth", **flags}).runs
    assert run.command == command
    assert expected in " ".join(run.words)
    if flags.get("arch"):
        assert "--scales" not in run.words


def test_log_root_of_a_settings_file_is_where_the_runs_are(tmp_path: Path) -> None:
    path = write(tmp_path, BASE)
    assert read_sweep(path).out == Path("runs/sweep")
    (tmp_path / ".runx").write_text("LOGROOT: /logs\nFARM: here\n")
    assert read_sweep(path).out == Path("/logs/sweep")
    assert read_sweep(path, tmp_path / "own").out == tmp_path / "own"


def test_a_flag_that_says_nothing_new_makes_no_other_run(tmp_path: Path) -> None:
    bare, more = read(tmp_path, BASE).runs[0], read(tmp_path, {**BASE, "momentum": 0.9}).runs[0]
    assert more.words != bare.words
    assert more.identity == bare.identity
    other = read(tmp_path, {**BASE, "momentum": 0.8}).runs[0]
    assert other.identity != bare.identity
