"""Curve minus curve: paired on examples, with intervals over groups and permutation p-values."""

from dataclasses import replace

import numpy as np
import pytest

from probes.errors import ResultError
from probes.result import Outcomes
from probes.seed import generator
from probes.study.curve import Curve, CurveGroup
from probes.study.difference import correct_answers


def slow_bootstrap(difference: np.ndarray, group: np.ndarray, draws: int = 4000) -> np.ndarray:
    """Interval of one layer: draw whole groups with replacement, average over their examples."""
    members = [np.flatnonzero(group == one) for one in np.unique(group)]
    stream = generator(7, "test.bootstrap")
    means = []
    for _ in range(draws):
        drawn = np.concatenate([members[one] for one in stream.integers(len(members), size=len(members))])
        means.append(difference[drawn].mean())
    return np.quantile(means, [0.025, 0.975])


def test_difference_equals_a_slow_paired_computation(study):
    first, second = study.curves["pretrained"], study.curves.curves[3]
    found = first - second
    one, other = first.outcomes, second.outcomes
    for layer in range(13):
        pairs = [
            int(a == label) - int(b == label)
            for a, b, label in zip(one.predicted["task"][layer], other.predicted["task"][layer], one.label, strict=True)
        ]
        assert found.value[layer] == pytest.approx(np.mean(pairs), abs=1e-12)
        low, high = slow_bootstrap(np.asarray(pairs, dtype=float), one.group)
        # Two bootstraps of thousands of draws: a quantile may fall one word (.013) further.
        assert (found.low[layer], found.high[layer]) == pytest.approx((low, high), abs=0.02)


def test_difference_to_a_group_is_that_to_its_mean(study):
    first, twins = study.curves["pretrained"], study.curves["untrained"]
    assert isinstance(twins, CurveGroup)
    assert len(twins.curves) == 3
    each = [(first - twin).value for twin in twins.curves]
    assert (first - twins).value == pytest.approx(np.mean(each, axis=0), abs=1e-12)
    assert (twins - first).value == pytest.approx(-np.mean(each, axis=0), abs=1e-12)
    assert (first - twins).second == "toy-bert untrained (seed 0, 1, 2) pos"


def test_curve_does_not_differ_from_itself(curve):
    same = curve - curve
    assert set(same.value) == set(same.low) == set(same.high) == {0.0}
    assert set(same.p) == set(same.p_adjusted) == {1.0}


def test_adjusted_p_is_never_below_the_plain_one(study):
    found = study.curves["pretrained"] - study.curves["untrained"]
    assert all(0 < p <= adjusted <= 1 for p, adjusted in zip(found.p, found.p_adjusted, strict=True))


def test_difference_prints_and_frames_every_layer(study):
    found = study.curves["pretrained"] - study.curves["untrained"]
    title, header, *rows = str(found).splitlines()
    assert title == "toy-bert pos - toy-bert untrained (seed 0, 1, 2) pos (points of accuracy)"
    assert header == "layer  difference  [95 % interval]  p (max-T)"
    assert [row.split()[0] for row in rows] == ["emb", *map(str, range(1, 13))]
    assert rows[9].split()[1] == f"{found.value[9] * 100:+.2f}"
    frame = found.to_frame()
    assert list(frame.columns) == ["layer", "value", "low", "high", "p", "p_adjusted"]
    assert frame["value"].tolist() == list(found.value)


def other_depth(curve: Curve) -> Curve:
    record = curve.record.model_copy(update={"layers": curve.layers[:7]})
    return Curve(record, curve.outcomes)


def other_corpus(curve: Curve, **fields: np.ndarray) -> Curve:
    return Curve(curve.record, replace(curve.outcomes, **fields))


def test_curves_of_other_depth_are_not_compared(curve):
    with pytest.raises(ResultError) as caught:
        curve - other_depth(curve)
    assert str(caught.value) == (
        "Two curves with the same layers were expected, but toy-bert pos has 13 and toy-bert pos has 7. "
        "Compare encoders of one depth."
    )


def fewer(curve: Curve) -> Curve:
    old = curve.outcomes
    predicted = {"task": old.predicted["task"][:, 1:]}
    return Curve(curve.record, Outcomes(old.label[1:], old.group[1:], old.count[1:], predicted, {}))


@pytest.mark.parametrize(
    "change",
    [
        fewer,
        lambda curve: other_corpus(curve, label=curve.outcomes.label[::-1].copy()),
        lambda curve: other_corpus(curve, group=curve.outcomes.group[::-1].copy()),
    ],
)
def test_curves_over_other_examples_are_not_compared(curve, change):
    changed = change(curve)
    with pytest.raises(ResultError) as caught:
        curve - changed
    assert str(caught.value) == (
        "Two curves over the same test examples were expected, but toy-bert pos and toy-bert pos differ in theirs. "
        "Compare runs of one task on one corpus."
    )


def test_group_with_one_other_member_is_not_compared(study, curve):
    twins = study.curves["untrained"].curves
    odd = replace(twins[1], source=replace(twins[1].outcomes, label=twins[1].outcomes.label[::-1].copy()))
    with pytest.raises(ResultError, match="same test examples"):
        curve - CurveGroup((twins[0], odd))


def test_share_of_right_answers_of_a_group_is_a_mean(study):
    twins = study.curves["untrained"]
    counted = sum(curve.outcomes.correct.astype(int) for curve in twins.curves)
    np.testing.assert_allclose(correct_answers(twins), counted / 3)
