"""V-information against what scikit-learn finds, and against what is known of the labels."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from probes.fit.read import JoinedLayer, SplitRows
from probes.method.information import METHOD, InformationSettings, marginal_surprisal
from probes.metric.interval import detectable_difference, resample_means
from tests.fit.conftest import make_states, make_task, planted_labels, random_labels
from tests.method.subjects import make_subject

L2 = 1e-3
FIT = {"l2": [L2], "solver": "exact"}


def value(findings, metric, layer, variant="task"):
    (found,) = [
        one for one in findings.rows if (one.metric, one.layer, one.variant, one.draw) == (metric, layer, variant, None)
    ]
    return found


@pytest.fixture(scope="module")
def problem():
    states = make_states(layers=3)
    return states, planted_labels(states, noise=0.3)


def test_equals_what_scikit_learn_finds(problem, tmp_path):
    states, labels = problem
    subject = make_subject(tmp_path, states, labels, fit=FIT)
    findings = METHOD.apply(subject, InformationSettings())
    shares = np.bincount(labels["train"]) / len(labels["train"])
    blind = -np.log2(shares[labels["test"]])

    def cost(*layers):
        train, test = (np.concatenate([states[split][k] for k in layers], axis=1) for split in ("train", "test"))
        scaler = StandardScaler().fit(train)
        model = LogisticRegression(C=1 / (L2 * len(train)), tol=1e-8, max_iter=5000)
        model.fit(scaler.transform(train), labels["train"])
        return -model.predict_log_proba(scaler.transform(test))[np.arange(600), labels["test"]] / np.log(2)

    for layer in range(3):
        expected = float((blind - cost(layer)).mean())
        found = value(findings, "v_information_bits", layer)
        assert found.value == pytest.approx(expected, abs=2e-3)
        assert found.low < found.value < found.high
        assert (found.n, found.groups) == (600, 120)
    gained = np.stack([blind - cost(layer) for layer in range(3)])
    spread = resample_means(gained, subject.task.splits["test"].groups, subject.seed)
    best, second, _ = np.argsort(-gained.mean(axis=1))
    for layer in range(3):
        for metric in ("v_information_bits", "conditional_entropy_bits"):
            power = detectable_difference(spread[layer] - spread[second if layer == best else best])
            # What labels cost the blind is not the same in all resamples, and falls out of every difference.
            assert value(findings, metric, layer).detectable == pytest.approx(power, rel=0.02)
    for layer in (1, 2):
        expected = float((cost(0) - cost(0, layer)).mean())
        assert value(findings, "conditional_v_information_bits", layer).value == pytest.approx(expected, abs=2e-3)


def test_a_copy_of_the_embeddings_adds_nothing_and_the_label_adds_its_entropy(tmp_path):
    states = make_states(layers=3)
    labels = planted_labels(states, layer=2)
    for split, part in states.items():
        part[0] = np.random.default_rng(len(split)).normal(size=part[0].shape)
        part[1] = part[0]
    findings = METHOD.apply(
        make_subject(tmp_path, states, labels, fit={"l2": [1e-4, 1e-2, 1.0]}), InformationSettings()
    )
    entropy = findings.notes["entropy_bits"]
    assert value(findings, "conditional_v_information_bits", 1).value == pytest.approx(0, abs=0.03)
    assert value(findings, "conditional_v_information_bits", 2).value > 0.75 * entropy
    assert value(findings, "v_information_bits", 0).value == pytest.approx(0, abs=0.03)
    assert value(findings, "v_information_bits", 2).value > 0.75 * entropy


def test_labels_of_nothing_may_have_negative_information(tmp_path):
    sizes = {"train": 60, "dev": 30, "test": 300}
    findings = METHOD.apply(
        make_subject(tmp_path, make_states(sizes, dims=40, layers=2), random_labels(sizes), fit={"l2": [1e-6]}),
        InformationSettings(conditional=False),
    )
    assert value(findings, "v_information_bits", 1).value < -0.2
    assert {one.metric for one in findings.rows} == {"v_information_bits", "conditional_entropy_bits"}
    assert len(findings.panels) == 1


def test_label_that_train_lacks_counts_as_seen_once():
    task = make_task({"train": np.array([0, 0, 0, 1]), "dev": np.array([0]), "test": np.array([0, 1, 2])})
    np.testing.assert_allclose(marginal_surprisal(task), -np.log2(np.array([3, 1, 1]) / 5))


def test_joined_layers_are_read_as_their_concatenation():
    stream = np.random.default_rng(0)
    first, second = stream.normal(size=(9, 3)).astype(np.float32), stream.normal(size=(9, 2)).astype(np.float16)
    index = np.array([[0, 4], [1, 5], [2, 2], [8, 0]])
    joined = JoinedLayer(first, second)
    whole = np.concatenate([first, second], axis=1)
    np.testing.assert_array_equal(joined[index], whole[index])
    rows = SplitRows([joined], index)
    assert rows.num_features == 10
    for ranges in ([(0, 4)], [(0, 2), (3, 4)]):
        chosen = np.concatenate([index[start:stop] for start, stop in ranges])
        expected = whole[chosen].reshape(len(chosen), 10)
        got = rows.chunk(0, [0], None)[0].numpy()[np.concatenate([np.arange(*one) for one in ranges])]
        np.testing.assert_array_equal(got, expected)
    product = replace(rows, product=True).chunk(0, [0], None)[0].numpy()
    np.testing.assert_array_equal(product[:, 10:], whole[index[:, 0]] * whole[index[:, 1]])
