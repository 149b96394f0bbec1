"""Every engine gives what the network's modules give, whatever the size."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch

from hierseg.engines import candidates as registry
from hierseg.engines.auto_engine import AutoEngine
from hierseg.engines.folding import fold_norms
from hierseg.engines.opening import make_runner, open_engine, plain_engine
from hierseg.engines.torch_engine import TorchEngine
from hierseg.errors import UsageError, UserError
from hierseg.inference.predictor import Predictor
from hierseg.labels import CAMVID
from hierseg.models import SegmentationNetwork, create_model
from hierseg.options import RunOptions

FAST = [("torch", "float32"), ("torch", "bf16")]
GRAPHS = [("openvino", "float32"), ("openvino", "bf16"), ("onnxruntime", "float32")]
BOUNDS = {"float32": 1e-4, "bf16": 0.1, "fp16": 0.02}


def make_network(name: str = "lite0-ocr-hier", **arguments: object) -> SegmentationNetwork:
    """With batch norms that do something."""
    torch.manual_seed(0)
    network = create_model(name, CAMVID.num_classes, **arguments)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> SegmentationNetwork:
    return make_network()


def require(engine: str) -> None:
    if engine in ("openvino", "onnxruntime") and importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")


def is_near(found: torch.Tensor, expected: torch.Tensor, precision: str) -> bool:
    bound = BOUNDS[precision] * float(expected.abs().max())
    return bool((found - expected).abs().max() <= bound)


@pytest.mark.parametrize(
    ("engine", "precision"),
    [*FAST, *(pytest.param(*one, marks=pytest.mark.slow) for one in GRAPHS)],
)
def test_a_scale_is_what_the_modules_give(
    network: SegmentationNetwork, engine: str, precision: str
) -> None:
    require(engine)
    runner = make_runner(network, engine, precision)
    assert (runner.name, runner.precision) == (engine, precision)
    generator = torch.Generator().manual_seed(1)
    for shape in ((1, 3, 64, 96), (2, 3, 71, 45), (1, 3, 33, 130)):
        image = torch.randn(*shape, generator=generator)
        with torch.inference_mode():
            expected = network.forward_scale(image)
            found = runner.run_scale(image, True)
            assert found.auxiliary is None
            assert found.attention is not None
            assert found.regions is not None
            assert found.logits.dtype == torch.float32
            assert is_near(found.logits, expected.logits, precision)
            assert is_near(found.attention, expected.attention, precision)
            assert is_near(found.regions, expected.regions, precision)
            regions = torch.randn(expected.regions.shape, generator=generator)
            given = network.forward_scale(image, regions)
            found = runner.run_scale(image, False, regions)
            assert is_near(found.logits, given.logits, precision)
            assert not is_near(given.logits, expected.logits, precision)


def test_what_is_compiled_is_one_scale(
    network: SegmentationNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def note(function: Callable[..., Any]) -> Callable[..., Any]:
        compiled.append(function.__name__)
        return function  # the compiler itself takes minutes

    monkeypatch.setattr(torch, "compile", note)
    runner = make_runner(network, "compile", "float32")
    assert (runner.name, compiled) == ("compile", ["_compute"])
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        expected = network.forward_scale(image)
        assert is_near(runner.run_scale(image, True).logits, expected.logits, "float32")


@pytest.mark.parametrize("name", ["lite0-ocr-hier", "hrnet18s-ocr-hier"])
def test_batch_norms_are_folded(name: str) -> None:
    network = make_network(name)
    folded = fold_norms(network)
    image = torch.randn(1, 3, 64, 96)

    def count(module: torch.nn.Module) -> int:
        return sum(isinstance(part, torch.nn.BatchNorm2d) for part in module.modules())

    before = count(network)
    with torch.inference_mode():
        expected, found = network.forward_scale(image), folded.forward_scale(image)
    assert is_near(found.logits, expected.logits, "float32")
    assert count(folded) <= 1  # the head's joining convolution is run in parts
    assert count(network) == before > 20


def test_what_folding_would_change_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_network()
    monkeypatch.setattr("hierseg.engines.folding._is_near", lambda before, after: False)
    left = fold_norms(network)
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(left.forward_scale(image).logits, network.forward_scale(image).logits)


@pytest.mark.slow
@pytest.mark.parametrize("combine", ["explicit", "paired"])
def test_fusions_of_features_get_them(combine: str) -> None:
    require("openvino")
    network = make_network("hrnet48", combine=combine, width=8, small=True)
    options = RunOptions(engine="openvino")
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    found = open_engine(network, options).run(image, options).logits
    expected = TorchEngine(network).run(image, options).logits
    assert is_near(found, expected, "float32")


def test_options_say_the_engine(network: SegmentationNetwork) -> None:
    weights = TorchEngine(network).fingerprint()
    plain = open_engine(network)
    assert plain.fingerprint() == weights
    assert getattr(plain, "runner", None) is None
    fast = open_engine(network, RunOptions(precision="fp32"))
    assert fast.fingerprint() == f"{weights} torch float32"
    half = open_engine(network, RunOptions(engine="torch", precision="bf16"))
    assert half.fingerprint() == f"{weights} torch bf16"
    auto = open_engine(network, RunOptions(engine="auto"))
    assert isinstance(auto, AutoEngine)
    assert auto.fingerprint() == f"{weights} auto"
    exact = open_engine(network, RunOptions(engine="auto", precision="float32"))
    assert isinstance(exact, AutoEngine)
    assert {one.precision for one in exact.candidates} == {"float32"}
    assert exact.fingerprint() == f"{weights} auto float32"
    assert plain_engine(half).fingerprint() == weights


def test_a_predictor_takes_engine_and_precision(network: SegmentationNetwork) -> None:
    predictor = Predictor(network, label_space=CAMVID, engine="torch", precision="bf16")
    assert predictor.engine.fingerprint().endswith(" torch bf16")
    with pytest.raises(UsageError, match="give these in options alone"):
        Predictor(network, label_space=CAMVID, options=RunOptions(), engine="torch")
    with pytest.raises(UsageError, match="an engine is given already"):
        Predictor(predictor.engine, label_space=CAMVID, engine="torch")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"engine": "fast"}, "--engine fast is none of auto, torch, compile"),
        ({"precision": "double"}, "--precision double is none of auto, float32"),
    ],
)
def test_names_that_are_none_are_refused(options: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        RunOptions(**options).resolve()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"precision": "int8"}, "int8 is for exported graphs that were quantised"),
        ({"engine": "auto", "precision": "int8"}, "int8 is for exported graphs"),
        (
            {"engine": "onnxruntime", "precision": "bf16"},
            "onnxruntime has no --precision bf16; give float32.",
        ),
    ],
)
def test_what_an_engine_cannot_is_refused(
    network: SegmentationNetwork, options: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        open_engine(network, RunOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("engine", "extra"), [("openvino", "onnx,openvino"), ("onnxruntime", "onnx")]
)
@pytest.mark.parametrize("precision", [None, "auto"])
def test_an_engine_that_is_not_installed_is_told(
    network: SegmentationNetwork,
    engine: str,
    extra: str,
    precision: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        registry.importlib.util, "find_spec", lambda name: None if name == engine else object()
    )
    options = RunOptions(engine=engine, precision=precision)  # type: ignore[arg-type]
    said = rf"--engine {engine} needs {engine}, which is not installed.*'hierseg\[{extra}\]'"
    with pytest.raises(UserError, match=said):
        open_engine(network, options)


def test_a_library_that_fails_is_told(
    network: SegmentationNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(network: SegmentationNetwork, precision: str) -> None:
        raise RuntimeError("no such kernel\nat line 1")

    monkeypatch.setattr("hierseg.engines.making.make_modules", fail)
    said = r"--engine torch cannot run this network in bf16 \(RuntimeError: no such kernel\)"
    with pytest.raises(UserError, match=said):
        open_engine(network, RunOptions(precision="bf16"))


def test_an_engine_of_the_cpu_is_refused_on_a_gpu() -> None:
    with pytest.raises(UsageError, match="--engine openvino does not run on 'cuda'"):
        registry.find_candidate("openvino", "float32", torch.device("cuda"))
