"""Many curves as one table of scores."""

from probes.result import to_frame
from probes.result.frame import panels, shown_order, twin_label


def test_frame_has_a_row_for_every_score(study):
    records = [curve.record for curve in study.curves]
    frame = to_frame(records)
    assert len(frame) == sum(len(record.scores) for record in records)
    assert sorted(frame["twin"].unique()) == ["pretrained", "untrained 0", "untrained 1", "untrained 2"]
    best = frame[(frame.run_id == records[0].run_id) & (frame.variant == "task") & (frame.metric == "accuracy")]
    rows = best[(best.split == "test") & (best.subset == "all")]
    assert rows["layer_name"].tolist() == list(records[0].layers)
    assert rows["value"].tolist() == [score.value for score in records[0].select(variant="task")]


def test_floors_have_no_layer(study):
    frame = study.curves.to_frame()
    floors = frame[frame.variant == "majority"]
    assert floors["layer"].isna().all()
    assert floors["layer_name"].isna().all()


def test_pretrained_encoders_come_before_twins_by_seed(study):
    records = sorted((curve.record for curve in study.curves), key=lambda record: record.run_id)
    shown = sorted(records, key=shown_order)
    assert [twin_label(record) for record in shown] == ["pretrained", "untrained 0", "untrained 1", "untrained 2"]


def test_vectors_of_a_sentence_stand_in_one_order_whatever_their_hashes(study):
    record = study.curves["pretrained"].record

    def of(sentence, run_id):
        encoder = {**record.config["encoder"], "sentence": sentence}
        return record.model_copy(update={"run_id": run_id, "config": {**record.config, "encoder": encoder}})

    for hashes in ("abc", "cba"):
        records = [of(*one) for one in zip(("pooler", "cls", "mean"), hashes, strict=True)]
        assert [one.config["encoder"]["sentence"] for one in sorted(records, key=shown_order)] == [
            "cls",
            "mean",
            "pooler",
        ]


def test_shares_of_train_are_questions_apart_and_older_results_have_the_whole(study):
    record = study.curves["pretrained"].record

    def with_task(**changes):
        task = {key: value for key, value in record.config["task"].items() if key != "train_share"}
        return record.model_copy(update={"config": record.config | {"task": task | changes}})

    old, whole, part = with_task(), with_task(train_share=1.0), with_task(train_share=0.1)
    assert list(panels([old, whole])) == ["pos"]
    assert list(panels([old, part])) == ["pos, 1.0", "pos, 0.1"]


def test_what_differs_between_fits_is_named_and_keeps_curves_apart(study):
    record = study.curves["pretrained"].record

    def of(**fit):
        return record.model_copy(update={"config": {**record.config, "fit": {**record.config["fit"], **fit}}})

    usual, exact = of(), of(solver="exact", l2=[0.001, 1.0])
    assert list(panels([usual, exact])) == [
        "pos, solver stack, l2 1e-06 1e-05 0.0001",
        "pos, solver exact, l2 0.001 1.0",
    ]
    assert list(panels([usual, of(probe="mlp", hidden=[50])])) == ["pos, linear", "pos, mlp"]
    assert list(panels([usual, of(rank=4)])) == ["pos, rank default", "pos, rank 4"]
    # As JSON has it and as its default is; and what only tells of a fit.
    assert list(panels([usual, of(l2=(1e-06, 1e-05, 0.0001), gap="none")])) == ["pos"]


def test_two_encoders_are_questions_apart_and_a_twin_stays_with_its_own(study):
    record = study.curves["pretrained"].record

    def of(name, twin=None):
        return record.model_copy(
            update={"config": record.config | {"encoder": record.config["encoder"] | {"name": name, "twin": twin}}}
        )

    found = panels([of("one"), of("other"), of("one", {"kind": "untrained", "seed": 0})])
    assert {name: [twin_label(one) for one in part] for name, part in found.items()} == {
        "pos, one": ["pretrained", "untrained 0"],
        "pos, other": ["pretrained"],
    }
