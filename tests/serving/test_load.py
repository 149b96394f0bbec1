"""Twenty clients at once, hostile files among theirs."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from experiments.serve_load import LARGE_HEADER, Memory, run_clients

from hierseg.serving.limits import Limits
from support.serving import as_file


@pytest.mark.slow
@pytest.mark.parametrize("answering", [Limits(queue=8, max_bytes="16M")], indirect=True)
def test_each_of_200_requests_is_answered_in_bounded_memory(
    answering: Any, image: npt.NDArray[Any]
) -> None:
    address, service = answering
    service.work.decoder.start()
    memory = Memory(service.work.decoder.process)
    answers = run_clients(address, [as_file(image, "JPEG")], 200, 20)
    memory.end()
    kinds = defaultdict[str, Counter[int]](Counter)
    for answer in answers:
        kinds[answer.kind][answer.status] += 1
    assert sum(kinds["picture"].values()) == 160
    assert {kind: set(statuses) for kind, statuses in kinds.items()} == {
        "picture": {200},
        "30000x30000 PNG": {413},
        "header of 2^31 pixels a side": {413},
        "text of 300 MB, packed": {200},
        "40 such texts": {200},
        "rows that unpack to 1 GB": {200},
        "JPEG cut short": {422},
        "PNG cut short": {422},
        "text named .png": {422},
        "random bytes named .mp4": {422},
        "empty file": {422},
        "20 MB, more than is taken": {413},
        LARGE_HEADER: {431},
    }
    assert all(answer.said for answer in answers if answer.status != 200)
    assert any(answer.tries > 1 for answer in answers)  # 20 clients, 8 places
    room = int(Limits().resolve().decode_memory) / 2**20
    assert memory.server < room + 300  # the decoder's own libraries
    assert (service._places, service.work._under_way) == (0, [])
    assert list(service.store.passing.iterdir()) == []
    assert np.percentile([answer.seconds for answer in answers], 95) < 120
