import numpy as np
import pytest

from piriform.errors import MeasureError
from piriform.splits import OUT, blocked_folds, chosen, half_folds, permutations, stimulus_groups, time_blocks

rng = np.random.default_rng(0)


@pytest.mark.parametrize("blocks", [time_blocks(23, 4), np.arange(23) % 3])
def test_permutations_stay_within_their_block_and_first_row_is_the_truth(blocks):
    order = permutations(blocks, 50, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(order[0], np.arange(23))
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(23), (51, 1)))
    np.testing.assert_array_equal(blocks[order], np.tile(blocks, (51, 1)))


def test_permutations_are_uniform_within_a_block():
    order = permutations(np.zeros(3, int), 6000, rng=np.random.default_rng(2))[1:]
    _, counts = np.unique(order, axis=0, return_counts=True)
    assert len(counts) == 6
    # each of 6 permutations has probability 1/6: SE sqrt(6000 * 5/36) = 28.9; 5 SE
    assert np.abs(counts - 1000).max() < 145


def test_time_blocks_are_contiguous_and_even():
    blocks = time_blocks(17, 5)
    assert (np.diff(blocks) >= 0).all()
    assert set(np.bincount(blocks)) == {3, 4}
    assert time_blocks(3, 5).tolist() == [0, 1, 2]


def test_chosen_takes_the_asked_number_of_each_class_in_every_labelling():
    labels = np.where(rng.random((1, 60)) < 0.4, 1, -1)[:, permutations(time_blocks(60, 3), 5, rng=rng)][0]
    mask = chosen(labels, 12, rng=rng)
    assert ((mask & (labels == 1)).sum(axis=1) == 12).all()
    assert ((mask & (labels == -1)).sum(axis=1) == 12).all()


def test_chosen_refuses_a_class_that_is_too_small():
    with pytest.raises(MeasureError, match=r"3 trials per class were asked for, class 1 has 2"):
        chosen(np.array([[1, 1, -1, -1, -1]]), 3, rng=rng)


def test_blocked_folds_match_a_loop_over_classes():
    labels = np.where(rng.random((4, 37)) < 0.5, 1, -1)
    part = rng.random((4, 37)) < 0.9
    folds = blocked_folds(labels, 3, taking_part=part)
    for row in range(4):
        for code in (1, -1):
            where = np.flatnonzero((labels[row] == code) & part[row])
            expected = [3 * i // len(where) for i in range(len(where))]
            assert folds[row, where].tolist() == expected
    np.testing.assert_array_equal(folds == OUT, ~part)


def test_blocked_folds_are_contiguous_and_stratified():
    labels = np.tile([1, -1], 20)[None]
    folds = blocked_folds(labels, 5)[0]
    assert (np.diff(folds) >= 0).all()
    assert np.bincount(folds[labels[0] == 1]).tolist() == [4] * 5


def test_blocked_folds_refuse_a_class_with_fewer_trials_than_folds():
    with pytest.raises(MeasureError, match=r"5 folds need 5 trials of each class; class -1 has 2"):
        blocked_folds(np.array([[1, 1, 1, 1, 1, -1, -1]]), 5)


def test_half_folds_count_only_trials_that_take_part():
    part = np.array([[True] * 3 + [False] * 4 + [True] * 2])
    assert half_folds(part).tolist() == [[0, 0, 0, -1, -1, -1, -1, 1, 1]]


def test_stimulus_groups_keep_stimuli_whole_and_balance_trials():
    stimuli = rng.choice([f"s{i}" for i in range(40)], size=200)
    groups = stimulus_groups(stimuli, 5)
    for stimulus in np.unique(stimuli):
        assert len(np.unique(groups[stimuli == stimulus])) == 1
    sizes = np.bincount(groups)
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 4


def test_stimulus_groups_are_never_more_than_the_stimuli():
    assert set(stimulus_groups(np.array(["a", "b", "a"]), 5)) == {0, 1}
