"""docs/coming-from-the-original.md: every script, flag and file of the original, and ours in it."""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest

from hierseg.cli import SHORT_FLAGS
from hierseg.commands.table import COMMANDS, OF_RECIPES
from hierseg.config import Experiment
from hierseg.models.registry import describe_model
from hierseg.recipes import RECIPES
from hierseg.settings import list_settings, name_flag

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "coming-from-the-original.md").read_text(
    encoding="utf-8"
)
ROWS = [(row[1], row[2]) for row in re.finditer(r"^\| (`[^|]*) \| ([^|]*) \|$", PAGE, re.MULTILINE)]

# Names alone, as the original's scripts have them.
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


def is_group(hint: object) -> bool:
    """Whether a parameter stands for several flags."""
    return isinstance(hint, type) and dataclasses.is_dataclass(hint)


def _flags_of(command: str) -> set[str]:
    function = COMMANDS[command].load()
    names = list(inspect.signature(function).parameters)
    for hint in get_type_hints(function).values():
        names += [field.name for field in dataclasses.fields(hint)] if is_group(hint) else []
    return {"--" + name.rstrip("_").replace("_", "-") for name in names}


def test_every_flag_of_the_original_is_there_once_and_in_some_table() -> None:
    named = [name for left, _ in ROWS for name in re.findall(r"`(\w+)`", left)]
    assert set(named) == set(ORIGINAL)
    assert len(named) == len(ORIGINAL) + 1  # eval is two things


def test_every_flag_of_ours_exists() -> None:
    settings = {name_flag(setting) for setting in list_settings(Experiment().to_dict())}
    text = re.sub(r"(?m)^    python.*$", "", PAGE)
    grouped = set(re.findall(r"--(?:data|optim|runtime|loss|eval|model)\.[a-z-]+", text))
    assert len(grouped) > 45
    assert {flag.replace(".no-", ".") for flag in grouped} <= settings
    bare = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*(?![\w.-])", text)) - {"--arch"}
    known = set(SHORT_FLAGS) | {"--nproc-per-node", "--out"}
    for command in ("evaluate", "predict", "autolabel", "submit", "flow"):
        known |= _flags_of(command)
    assert bare <= known
    assert {"--scales", "--flip", "--worst", "--init", "--replace-head"} <= bare


@pytest.mark.parametrize("line", re.findall(r"`hierseg ([a-z]+ ?[^`]*)`", PAGE))
def test_every_command_exists_and_takes_its_flags(line: str) -> None:
    command, *words = line.split()
    assert command in COMMANDS
    flags = {word for word in words if word.startswith("--")}
    if command not in OF_RECIPES:
        assert flags <= _flags_of(command)
        return
    settings = {name_flag(setting) for setting in list_settings(Experiment().to_dict())}
    assert words[0] in ("RECIPE", *RECIPES)
    assert flags <= settings | set(SHORT_FLAGS) | {"--out"}


# Names alone, as the original's files have them.
SCRIPTS = re.findall(
    r"\w+",
    """
train_cityscapes train_cityscapes_sota train_cityscapes_deepv3 train_mapillary
eval_cityscapes eval_mapillary dump_cityscapes dump_folder
""",
)
FILES = re.findall(
    r"\S+",
    """
cityscapes_ocrnet.HRNet_Mscale_outstanding-turtle.pth
cityscapes_trainval_ocrnet.HRNet_Mscale_nimble-chihuahua.pth
mapillary_ocrnet.HRNet_Mscale_fast-rattlesnake.pth ocrnet.HRNet_industrious-chicken.pth
hrnetv2_w48_imagenet_pretrained.pth wider_resnet38.pth.tar aligned_xception71.pth
cityscapes_best.pth camvid_best.pth kitti_best.pth cityscapes_cv0_seresnext50_nosdcaug.pth
cityscapes_cv0_wideresnet38_nosdcaug.pth sdc_cityscapes_vrec.pth.tar FlowNet2_checkpoint.pth.tar
""",
)


def test_every_script_has_a_command_and_every_published_recipe_a_script() -> None:
    table = PAGE.split("## Scripts")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE))
    for script in SCRIPTS:
        assert rows[script].startswith("`hierseg "), script
    published = {n for n in RECIPES if n.startswith(("cityscapes-", "mapillary-", "vplr-"))}
    assert set(re.findall(r"`hierseg train ([\w-]+)", table)) == published
    # Where it starts from is what the recipe's own text says.
    for name, words in re.findall(r"`hierseg train ([\w-]+) ?([^`]*)`", table):
        said = " ".join((inspect.getdoc(RECIPES[name]) or "").split())
        assert all(word in said for word in words.split()), name


def test_every_file_of_the_original_has_a_row() -> None:
    table = PAGE.split("## Files")[1].split("\n## ")[0]
    assert set(re.findall(r"`([\w.-]+\.(?:pth|pth\.tar))`", table)) == set(FILES)


def test_dead_flags_are_marked() -> None:
    dead = {
        n
        for left, right in ROWS
        if "**dead**" in right.lower()
        for n in re.findall(r"`(\w+)`", left)
    }
    assert {
        "trunk", "translate_aug_fix", "dump_augmentation_images", "start_epoch", "restore_net",
        "restore_optimizer", "summary", "apex", "amp_opt_level", "local_rank", "global_rank",
        "max_cu_epoch", "init_decoder",
    } <= dead  # fmt: skip
    # What is dead names no flag of ours that would do it, but for the one that lives on.
    for left, right in ROWS:
        if "**dead**" in right:
            assert "`--" not in right, left


def test_a_flag_that_config_names_leads_to_the_same_one() -> None:
    """What help calls the published name of a flag is what the page says."""
    source = inspect.getsource(inspect.getmodule(Experiment) or Experiment)
    found = re.findall(r"(?s)    (\w+): [^\n]*\n    \"\"\"([^\"]*?)\"\"\"", source)
    by_name = {name for left, _ in ROWS for name in re.findall(r"`(\w+)`", left)}
    checked = 0
    for field, text in found:
        for said in re.findall(r"\(published:\s([A-Za-z_]+)", text):
            assert said in by_name, said
            [right] = [right for left, right in ROWS if f"`{said}`" in left]
            assert "." + field.replace("_", "-") in right, (said, field)
            checked += 1
    assert checked > 12


def test_every_network_that_it_names_exists() -> None:
    names = re.findall(r"`--model\.name` ([\w.-]+)", PAGE)
    assert names
    for name in names:
        assert describe_model(name)
