from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hierseg.checkpoint import open_flow, save_sdcnet
from hierseg.errors import UsageError, UserError
from hierseg.flow import SdcNet, build_raft


def test_dis_is_what_is_opened_unasked() -> None:
    assert open_flow().name == "dis"
    assert open_flow("dis").fingerprint() == open_flow().fingerprint()


def test_estimators_are_opened_by_kind_and_place(tmp_path: Path) -> None:
    assert open_flow(f"folder:{tmp_path}").name == "folder"
    network = SdcNet(width=4)
    network.start_from_flow()
    save_sdcnet(tmp_path / "best.safetensors", network)
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    for place in (tmp_path, tmp_path / "best.safetensors"):
        estimator = open_flow(f"sdcnet:{place}")
        flow = estimator.estimate(images[1], images[2], images[0])
        assert np.allclose(flow, open_flow().estimate(images[1], images[2]), atol=1e-4)
    torch.save(build_raft("small").state_dict(), tmp_path / "raft.pth")
    assert open_flow(f"raft:{tmp_path / 'raft.pth'}").name == "raft"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("flownet", "--flow flownet is no estimator"),
        ("dis:x", "is no estimator"),
        ("raft", "raft:download"),
        ("raft:none.pth", "there is no file none.pth"),
        ("sdcnet", "is no estimator"),
        ("sdcnet:", "is no estimator"),
        ("sdcnet:none", "there is no file none"),
        ("folder:none", "none does not exist"),
    ],
)
def test_what_is_no_estimator_is_refused(asked: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_flow(asked)


def test_a_folder_without_a_network_and_inputs_of_its_own_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no best\.safetensors"):
        open_flow(f"sdcnet:{tmp_path}")
    save_sdcnet(tmp_path / "last.safetensors", SdcNet(width=4))
    with pytest.raises(UsageError, match="own kind"):
        open_flow(f"sdcnet:{tmp_path}", inputs=f"sdcnet:{tmp_path}")
    with pytest.raises(UsageError, match="device"):
        open_flow(f"sdcnet:{tmp_path}", device="nowhere")


def test_raft_is_fetched_once_and_only_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []

    def fetch(url: str, place: str, digest: str, progress: bool) -> None:
        fetched.append(f"{url} {digest}")
        torch.save(build_raft("large").state_dict(), place)

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert open_flow("raft:download").name == "raft"
    assert open_flow("raft:download").name == "raft"
    assert len(fetched) == 1
    assert fetched[0].startswith("https://download.pytorch.org/models/raft_large")
    assert fetched[0].partition(".pth ")[0].endswith(fetched[0].partition(".pth ")[2])


def test_a_download_that_fails_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(UserError, match="raft:FILE"):
        open_flow("raft:download")
