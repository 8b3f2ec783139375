"""Does a network, once recorded, pass through the measures and statistics of recordings unchanged?"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from piriform import config
from piriform.errors import ConfigError
from piriform.measure import session_metrics
from piriform.networks.spikes import SpikeNoise, spike_rates
from piriform.progress import detect
from piriform.provenance import rng_for
from piriform.tables import check_table
from piriform.task import composition, matched_counts
from piriform.tracking import sessions_before
from piriform.trials import load_trials, session_names

pytest.importorskip("jax", reason="networks need JAX")

from piriform.networks.answers import network_behavior, plateau_step, plateaus
from piriform.networks.architectures import Network
from piriform.networks.classics import digits_task, polynomial_task, tone_task
from piriform.networks.ensemble import Condition, Training
from piriform.networks.odors import Odors, odor_task
from piriform.networks.record import Recording, class_settings, record, recorded, response_settings
from piriform.networks.train import train

ODORS = Odors(n_train=200, n_nontargets=200, n_test=60, n_probe_trials=60)
TRAINING = Training(n_steps=3000, n_checkpoints=12)


@pytest.fixture(scope="module")
def tasks():
    return [odor_task(ODORS, rng=rng_for(seed, "odors")) for seed in range(3)]


@pytest.fixture(scope="module")
def ensemble(tasks):
    conditions = [Condition("mid", alpha=3.0), Condition("hinge", loss="hinge", threshold=0.1, alpha=3.0)]
    return train(Network((100,), (64,)), tasks, conditions, training=TRAINING)


@pytest.fixture(scope="module")
def examples(tasks):
    return [task.test for task in tasks]


@pytest.fixture(scope="module")
def plateau(ensemble, tasks):
    return plateaus(ensemble, [task.train for task in tasks])


def test_the_odour_task_shows_hidden_progress(ensemble, tasks, examples, plateau):
    trained = ensemble.accuracy([task.train for task in tasks])
    probes = [shown.of_class("probe") for shown in examples]
    accuracy, loss = ensemble.accuracy(probes), ensemble.losses(probes)
    for member in ensemble.members:
        at = int(np.flatnonzero(ensemble.steps == plateau[member.name])[0])
        assert 0 < at <= 9
        assert (trained[member.index, at:] >= 0.99).all()
        gain = accuracy[member.index, -1] - accuracy[member.index, at]
        fall = loss[member.index, at] - loss[member.index, -1]
        assert gain > 0.05
        assert (fall > 0.15) == (member.condition.name == "mid")  # hinge: no late gain in probe loss


def test_the_fisher_discriminant_grows_after_the_plateau_unless_the_loss_is_at_rest(ensemble, examples, plateau):
    growth = {"mid": [], "hinge": []}
    for member in ensemble.members:
        at = np.flatnonzero(ensemble.steps == plateau[member.name])[0]
        shown = examples[member.seed_index]
        hidden = ensemble.activity(member.index, shown.inputs)
        fisher = []
        for place in (at, -1):
            target, probe = (hidden[place][shown.table["category"] == name] for name in ("target", "probe_6"))
            axis = target.mean(axis=0) - probe.mean(axis=0)
            fisher.append((axis @ axis) ** 2 / (np.var(target @ axis) + np.var(probe @ axis)))
        growth[member.condition.name].append(np.log2(fisher[1] / fisher[0]))
    assert min(growth["mid"]) > 0.4
    assert max(growth["hinge"]) < 0.3


def test_one_session_is_what_the_network_did(ensemble, examples):
    tensor = recorded(ensemble, 1, examples[1], recording=Recording(), plateau=500.0)[4]
    step = ensemble.steps[4]
    hidden = np.maximum(examples[1].inputs @ ensemble.at(1, 4)["w1"] + ensemble.at(1, 4)["b1"], 0)
    assert tensor.dims == ("trial", "unit", "time")
    assert tensor.values[:, :, 1] == pytest.approx(hidden, rel=1e-4, abs=1e-5)
    assert tensor.values[:, :, 0] == pytest.approx(np.tile(np.maximum(ensemble.at(1, 4)["b1"], 0), (240, 1)), abs=1e-6)
    assert tensor["class"].values.tolist() == examples[1].table["class"].tolist()
    answer = np.where(ensemble.outputs_of(1, examples[1].inputs)[4, :, 0] > 0, "target", "nontarget")
    assert tensor["choice"].values.tolist() == answer.tolist()
    right = (answer == "target") == (tensor["class"].values == "target")
    assert tensor["correct"].values.tolist() == right.astype(float).tolist()
    assert (tensor.attrs["subject"], tensor.attrs["day"], tensor.attrs["phase"]) == ("mid-1", step, "training")
    assert (tensor.attrs["units"], tensor["tracked_id"].values[3]) == ("1", "3")


def test_spikes_are_those_of_the_activity_before_and_after_the_onset(ensemble, examples):
    """Each session has noise of its own, named by the seed of the config, network and checkpoint."""
    noise, shown = SpikeNoise(evoked_rate=5.0), examples[1].inputs
    options = {"recording": Recording(noise=noise), "plateau": 500.0, "seed": 9, "checkpoints": [4, 6]}
    for at, tensor in zip((4, 6), recorded(ensemble, 1, examples[1], **options), strict=True):
        activity, blank = (ensemble.activity(1, inputs)[at] for inputs in (shown, 0 * shown))
        rng = rng_for(9, "spikes", "mid-1", f"step-{ensemble.steps[at]:08d}")
        rates = spike_rates(np.stack([blank, activity], axis=2), noise, bin_width=0.5, n_baseline=1, rng=rng)
        np.testing.assert_allclose(tensor.values, rates)


def test_subsamples_are_as_large_as_asked_and_reproducible(ensemble, examples):
    recording = Recording(n_units=10, n_trials={"target": 20, "probe": 0}, tracked=False)
    one, other = (recorded(ensemble, 0, examples[0], recording=recording, plateau=9.0)[3:5] for _ in range(2))
    assert one[0].equals(other[0])
    assert one[0].sizes["unit"] == 10
    counts = pd.Series(one[0]["class"].values).value_counts().to_dict()
    assert counts == {"nontarget": 60, "target": 20}
    assert one[0]["unit_id"].values.tolist() != one[1]["unit_id"].values.tolist()
    assert set(one[0]["tracked_id"].values) == {""}
    tracked = recorded(ensemble, 0, examples[0], recording=replace(recording, tracked=True), plateau=9.0)
    assert len({tuple(tensor["unit_id"].values) for tensor in tracked}) == 1


def test_behaviour_is_the_networks_own(ensemble, examples, plateau):
    table = network_behavior(ensemble, examples, plateau=plateau)
    probes = ensemble.accuracy([shown.of_class("probe") for shown in examples])
    both = ensemble.accuracy([shown.of_class("target", "nontarget") for shown in examples])
    for name, accuracy in {"probe": probes, "all": both}.items():
        rows = table[(table["class"] == name) & (table["subject"] == "hinge-2")]
        assert rows["accuracy"].to_numpy() == pytest.approx(accuracy[5])
        assert rows["day"].tolist() == ensemble.steps.tolist()
    assert dict(zip(table["subject"], table["plateau_day"], strict=True)) == plateau
    late = table["day"] >= table["plateau_day"]
    assert (table["phase"] == np.where(late, "overtraining", "training")).all()


def test_networks_pass_through_measures_and_verdict(ensemble, examples, plateau, tmp_path):
    noise = SpikeNoise(evoked_rate=4.0)
    recording = Recording(n_units=30, n_trials={"target": 40, "nontarget": 40, "probe": 40}, noise=noise, day="index")
    behavior = record(ensemble, examples, tmp_path, recording=recording, plateau=plateau)
    wanted = ["separation_modulation", "separation_dprime", "similarity_cosine"]
    measures = config.Measures(metrics=wanted, n_permutations=0, n_draws=1)
    settings = {"measures": measures, "response": response_settings(ensemble), "classes": class_settings(examples[0])}
    both = {name: settings[name] for name in ("response", "classes")}
    names, rows = ["mid-0", "mid-1", "mid-2"], []
    for name in names:
        tensors = [load_trials(tmp_path / f"{name}.nc", at) for at in session_names(tmp_path / f"{name}.nc")]
        counts = matched_counts(tensors, inclusion=config.Inclusion(), **settings)
        given = settings | counts | {"shares": composition(tensors, **both), "matchings": ("matched",)}
        rows += [row for tensor in tensors for row in session_metrics(tensor, **given, seed=1, source="network")]
    metrics = check_table(pd.DataFrame(rows), "metrics")
    assert (metrics["status"] == "ok").all()
    assert len(metrics) == 3 * len(ensemble.steps) * 2 * len(wanted)  # all and fixed stimuli
    behavior = behavior[behavior["subject"].isin(names)]
    result = detect(metrics, behavior, verdict=config.Verdict(), source="network", beside=False)
    assert [subject["subject"] for subject in result["subjects"]] == names
    late = metrics[(metrics["metric"] == "separation_dprime") & (metrics["stimuli"] == "all")]
    course = late.groupby("day")["value"].mean()
    first = np.searchsorted(ensemble.steps, plateau["mid-0"]) + 1
    assert course.loc[len(ensemble.steps)] > course.loc[first] > course.loc[1]


def test_units_of_networks_are_described_as_those_of_animals_are(ensemble, examples, plateau, tmp_path):
    recording = Recording(n_trials={"target": 40, "nontarget": 40, "probe": 0}, noise=SpikeNoise(), day="index")
    record(ensemble, examples, tmp_path, recording=recording, plateau=plateau)
    path = tmp_path / "mid-0.nc"
    tensors = [load_trials(path, at) for at in session_names(path)]
    wanted = [
        "margin_hard", "selectivity", "sparseness_lifetime", "sparseness_population", "noise_correlation",
        "generalization_day",
    ]  # fmt: skip
    measures = config.Measures(metrics=wanted, n_permutations=0, n_draws=1)
    settings = {"measures": measures, "response": response_settings(ensemble), "classes": class_settings(examples[0])}
    counts = {"n_units": 30, "n_trials": {"all": 40}, "seed": 1, "source": "network", "matchings": ("matched",)}
    rows = []
    for tensor, before in zip(tensors, sessions_before(tensors), strict=True):
        rows += session_metrics(tensor, **settings, **counts, before=before)
    table = check_table(pd.DataFrame(rows), "metrics").set_index(["metric", "day"])
    assert set(table.loc["generalization_day"].n_units[1:]) == {30}
    for name in wanted:
        course = table.loc[name]
        assert course.status.iloc[-1] == "ok", name
    assert table.status["generalization_day", 1] == "no session on an earlier day"
    for name in ("selectivity", "generalization_day", "margin_hard"):
        assert table.loc[name].value.iloc[-1] > table.loc[name].value.dropna().iloc[0], name


def test_class_settings(examples):
    classes = class_settings(examples[0])
    assert (classes.target, classes.probe) == (["target"], ["probe_6", "probe_7"])
    assert classes.fixed == ["target", "nontarget_repeat_1", "nontarget_repeat_2"]
    assert class_settings(digits_task(rng=np.random.default_rng(0), n_train=5, n_test=5).test).by_stimulus


@pytest.mark.parametrize(
    ("recording", "match"),
    [
        (Recording(n_units=65), "65 units are to be recorded, but the layer has 64"),
        (Recording(n_trials={"target": 61}), "61 target trials are to be recorded, but only 60 are shown"),
        (Recording(n_trials={"targets": 6}), r"unknown class 'targets' \(did you mean 'target'\?\)"),
        (Recording(layer="hidden2"), "unknown layer 'hidden2'"),
    ],
)
def test_impossible_recordings(ensemble, examples, recording, match):
    with pytest.raises(ConfigError, match=match):
        recorded(ensemble, 0, examples[0], recording=recording, plateau=9.0)


def test_a_diverged_network_is_recorded_until_then(ensemble, examples):
    parameters = {name: values.copy() for name, values in ensemble.parameters.items()}
    for values in parameters.values():
        values[0, 5:] = np.nan
    broken = replace(ensemble, parameters=parameters)
    tensors = recorded(broken, 0, examples[0], recording=Recording(), plateau=np.nan)
    assert [tensor.attrs["day"] for tensor in tensors] == ensemble.steps[:5].tolist()
    assert {tensor.attrs["phase"] for tensor in tensors} == {"training"}
    table = network_behavior(broken, examples, plateau=dict.fromkeys((m.name for m in broken.members), np.nan))
    assert table[table["subject"] == "mid-0"]["day"].max() == ensemble.steps[4]


def test_plateau_is_where_accuracy_stays():
    steps = np.array([0, 1, 10, 100, 1000])
    assert plateau_step(steps, np.array([0.5, 0.995, 0.9, 0.99, 1.0])) == 100
    assert plateau_step(steps, np.array([1.0, 1.0, np.nan, 1.0, 1.0])) == 0
    assert np.isnan(plateau_step(steps, np.array([0.5, 0.6, 1.0, 1.0, 0.98])))


def test_recurrent_networks_have_a_course_in_time():
    task = tone_task(rng=np.random.default_rng(0), n_times=6, n_channels=8, n_train=20, n_test=10)
    found = train(Network((6, 8), (10,), activation="tanh"), [task], [Condition("a")],
                  training=Training(n_steps=2, n_checkpoints=2, batch=4))  # fmt: skip
    tensor = recorded(found, 0, task.test, recording=Recording(noise=SpikeNoise()), plateau=1.0)[-1]
    assert tensor.sizes["time"] == 12
    assert tensor.attrs["bin_width"] == pytest.approx(0.5 / 6)
    assert response_settings(found).bin == pytest.approx(0.5 / 6)
    assert (tensor.values >= 0).all()


def test_values_have_no_answers():
    task = polynomial_task(rng=np.random.default_rng(0), n_inputs=5, n_train=8, n_test=6)
    found = train(Network((5,), (4,)), [task], [Condition("a", loss="squared")],
                  training=Training(n_steps=2, n_checkpoints=2, batch=0))  # fmt: skip
    tensor = recorded(found, 0, task.test, recording=Recording(), plateau=np.nan)[0]
    assert np.isnan(tensor["correct"].values).all()
    assert set(tensor["choice"].values) == {""}


def test_spikes_have_the_moments_asked_for():
    noise, rng = SpikeNoise(baseline_rate=2.0, evoked_rate=6.0, fano=3.0, trial_gain_sd=0.0), np.random.default_rng(0)
    activity = np.zeros((4000, 2, 2))
    activity[:, :, 1] = [1.0, 3.0]  # mean drive 2: 3 and 9 spikes/s evoked
    rates = spike_rates(activity, noise, bin_width=0.5, n_baseline=1, rng=rng)
    counts = 0.5 * rates
    expected = np.array([[1.0, 2.5], [1.0, 5.5]])
    assert np.abs(counts.mean(axis=0) - expected).max() < 4 * np.sqrt(3 * 5.5 / 4000)
    fano = counts.var(axis=0) / counts.mean(axis=0)
    assert fano == pytest.approx(np.full((2, 2), 3.0), rel=0.2)
    assert abs(np.corrcoef(counts[:, 0, 0], counts[:, 0, 1])[0, 1]) < 4 / np.sqrt(4000)


def test_the_drive_of_a_unit_is_its_activity_above_0_or_above_its_own_least():
    """Counts of 10,000 s, so that rates are hardly random: 4 spikes/s on average over trials and units."""
    activity = np.array([[1.0, -1.0, 2.0], [3.0, 1.0, 2.0]])[:, :, None]
    noise = SpikeNoise(baseline_rate=0.5, evoked_rate=4.0, fano=1.0, trial_gain_sd=0.0)
    rates = spike_rates(activity, noise, bin_width=1e4, n_baseline=0, rng=np.random.default_rng(0))
    drive = np.array([[1.0, 0.0, 2.0], [3.0, 2.0, 2.0]])
    np.testing.assert_allclose(rates[:, :, 0], 0.5 + 4 * drive / drive.mean(), rtol=0.01, atol=0.03)


def test_spikes_of_negative_activity_and_shared_gain():
    activity = np.array([-1.0, 1.0])[:, None, None] * np.ones((2, 50, 1))
    activity = np.tile(activity, (2000, 1, 1))
    quiet = SpikeNoise(baseline_rate=0.0, evoked_rate=5.0, fano=1.0, trial_gain_sd=0.0)
    rates = spike_rates(activity, quiet, bin_width=0.5, n_baseline=0, rng=np.random.default_rng(0))
    assert (rates[::2] == 0).all()
    assert rates[1::2].mean() == pytest.approx(10, abs=4 * np.sqrt(20 / 1e5))
    loud = spike_rates(
        activity, replace(quiet, trial_gain_sd=0.5), bin_width=0.5, n_baseline=0, rng=np.random.default_rng(0)
    )
    gain = loud[1::2].mean(axis=1).ravel()
    assert np.std(gain) / 10 == pytest.approx(np.sqrt(np.exp(0.25) - 1), rel=0.12)


def test_impossible_noise():
    with pytest.raises(ConfigError, match=r"fano 0\.5"):
        SpikeNoise(fano=0.5)
