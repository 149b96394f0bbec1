from __future__ import annotations

from collections import Counter

from hierseg.data.sampling.joint import JointSampler


def test_every_image_of_all_sources_comes_once_an_epoch_in_a_new_order() -> None:
    sampler = JointSampler([5, 3, 2], seed=1)
    orders = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        draws = list(sampler)
        assert Counter((d.source, d.index) for d in draws) == Counter(
            (source, i) for source, n in enumerate([5, 3, 2]) for i in range(n)
        )
        assert [d.position for d in draws] == list(range(10))
        assert all(d.point is None for d in draws)
        orders.append([(d.source, d.index) for d in draws])
    assert orders[0] != orders[1]
    assert [s for s, _ in orders[0]] != sorted(s for s, _ in orders[0])


def test_dropped_sources_leave_the_epochs_length_to_the_main_one() -> None:
    sampler = JointSampler([4, 6], extra_until=2, seed=1)
    for epoch, sources in ((1, {0, 1}), (2, {0}), (5, {0})):
        sampler.set_epoch(epoch)
        draws = list(sampler)
        assert len(draws) == 10
        assert {d.source for d in draws} == sources
    counts = Counter(d.index for d in draws)
    assert sorted(counts.values()) == [2, 2, 3, 3]


def test_shards_are_disjoint_and_make_up_the_epoch() -> None:
    whole = list(JointSampler([5, 4], seed=2))
    parts = [list(JointSampler([5, 4], seed=2, shard=i, shards=2)) for i in range(2)]
    assert [len(part) for part in parts] == [5, 4]
    assert sorted(parts[0] + parts[1], key=lambda d: d.position) == whole
