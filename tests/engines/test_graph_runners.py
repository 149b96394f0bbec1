from __future__ import annotations

import numpy as np
import pytest
import torch

from hierseg.engines.graph_runners import open_onnx


def test_threads_of_a_session_are_as_many_as_torchs_and_sleep_while_they_wait() -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper = onnx.helper
    node = helper.make_node("Identity", ["x"], ["y"])
    place = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in "xy"]
    model = helper.make_model(
        helper.make_graph([node], "same", place[:1], place[1:]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.checker.check_model(model)
    session = open_onnx(model.SerializeToString(), severity=3)
    given = np.array([1.5, -2], np.float32)
    assert session.run(["y"], {"x": given})[0].tolist() == [1.5, -2]
    settings = session.get_session_options()
    assert settings.intra_op_num_threads == torch.get_num_threads()
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == "0"
