"""What the page embeds is what the results say: every row, matrix and line comes back."""

import base64
import gzip
import json

import numpy as np
import pytest

from probes.report.payload import MOST_LABELS, PairedDifference, describe_results, pack, pack_rows
from probes.result import Finding, Panel, Score
from probes.result.record import Confusion
from probes.study.difference import compare
from tests.report.test_listing import make
from tests.report.test_listing import row as finding


def unpack_rows(packed):
    """The rows again, by plain loops."""
    rows = []
    for number in range(packed["length"]):
        row = {}
        for name, column in packed["columns"].items():
            value = column["values"][number]
            row[name] = column["names"][value] if "names" in column else value
        rows.append(row)
    return rows


def test_rows_come_back_from_their_columns():
    scores = [
        Score(variant="task", layer=0, value=0.5, low=0.25, high=1.0, n=3, groups=2),
        Score(variant="word_type", draw=2, layer=1, subset="seen", value=None, n=0, groups=0),
        Score(variant="majority", split="dev", metric="macro_f1", value=1 / 3, n=3, groups=2, detectable=0.1),
    ]
    rows = unpack_rows(pack_rows(scores))
    assert [row["value"] for row in rows] == [0.5, None, 0.33333]
    assert [row["draw"] for row in rows] == [None, 2, None]
    for row, score in zip(rows, scores, strict=True):
        assert row | {"value": None} == score.model_dump() | {"value": None}


def test_coordinates_of_findings_are_words():
    rows = unpack_rows(
        pack_rows(
            [
                Finding(variant="task", metric="uuas", value=1.0, n=1, groups=1, at={"rank": 8, "kind": "full"}),
                Finding(variant="task", metric="uuas", value=1.0, n=1, groups=1),
            ]
        )
    )
    assert [row["at"] for row in rows] == ["rank=8;kind=full", ""]


def test_payload_is_json_in_gzip_and_the_same_bytes_again(study):
    body = describe_results([curve.record for curve in study.curves], [], [])
    assert json.loads(gzip.decompress(base64.b64decode(pack(body)))) == body
    assert pack(body) == pack(json.loads(json.dumps(body)))


def test_a_question_has_its_curves_pretrained_first(study):
    records = [curve.record for curve in study.curves]
    (question,) = describe_results(records, [], [])["questions"]
    assert question["key"] == "layer_pos:pos"
    assert question["asked"] == records[0].question
    twins = [describe_results(records, [], [])["curves"][place]["twin"] for place in question["curves"]]
    assert twins == ["pretrained", "untrained 0", "untrained 1", "untrained 2"]


def test_a_curve_says_where_it_comes_from(curve):
    record = curve.record
    (one,) = describe_results([record], [], [])["curves"]
    assert (one["id"], one["best"], one["mayBeBest"]) == (record.run_id, record.best_layer, list(record.may_be_best))
    assert one["fingerprints"] == record.fingerprints.model_dump()
    assert one["config"] == record.config
    assert len(unpack_rows(one["rows"])) == len(record.scores)


def test_confusion_comes_back_from_its_counts(curve):
    record = curve.record
    packed = describe_results([record], [], [])["curves"][0]["confusion"]
    assert packed["labels"] == list(record.confusion.labels)
    for layer, counts in record.confusion.layers.items():
        found = np.zeros_like(counts)
        for label, predicted, count in packed["layers"][str(layer)]:
            found[label, predicted] = count
        assert found.tolist() == counts


@pytest.mark.parametrize(("labels", "is_kept"), [(MOST_LABELS, True), (MOST_LABELS + 1, False)])
def test_a_matrix_of_very_many_labels_is_left_to_the_json(curve, labels, is_kept):
    counts = np.ones((labels, labels), dtype=int).tolist()
    confusion = Confusion(labels=tuple(map(str, range(labels))), layers={0: counts})
    record = curve.record.model_copy(update={"confusion": confusion})
    packed = describe_results([record], [], [])["curves"][0]["confusion"]
    assert len(packed["labels"]) == (labels if is_kept else 0)
    assert is_kept or packed["why"].startswith(f"{labels} labels are too many for a picture")


def test_differences_name_curves_by_their_place(study):
    first, second = list(study.curves)[:2]
    found = compare(second, first)
    ids = second.record.run_id, first.record.run_id
    given = PairedDifference(*ids, found.value, found.low, found.high, found.p_adjusted)
    (one,) = describe_results([first.record, second.record], [], [given])["differences"]
    assert (one["first"], one["second"]) == (1, 0)
    assert one["value"] == pytest.approx(found.value, rel=1e-4)


def test_panels_of_a_method_are_lines_over_places():
    findings = [
        finding("task", 0.25, layer=0, metric="uuas", at={"rank": 8}),
        finding("task", 0.5, layer=1, metric="uuas", at={"rank": 8}, low=0.4, high=0.6),
        finding("task", 0.75, layer=1, metric="uuas", at={"rank": 200}),
        finding("chain", 0.4, metric="uuas"),
    ]
    by_layer = Panel(metric="uuas", title="trees", lines="rank", is_share=True)
    by_rank = Panel(metric="uuas", title="trees", x="rank", lines="layer", where={"layer": 1})
    analysis = make([by_layer, by_rank], findings, notes={"left_out": 3})
    body = describe_results([], [analysis], [])
    (asked,) = body["studies"]
    assert asked["analyses"] == [0]
    assert asked["notes"] == ["pretrained: left_out: 3."]
    first, second = asked["panels"]
    assert (first["metric"], first["places"], first["axis"]) == ("uuas, per cent", ["emb", "1"], "steps")
    assert first["lines"] == [
        {"name": "rank 8", "curve": "pretrained", "points": [[0, 25.0, None, None], [1, 50.0, 40.0, 60.0]]},
        {"name": "rank 200", "curve": "pretrained", "points": [[1, 75.0, None, None]]},
    ]
    assert first["floors"] == [{"name": "chain", "curve": "pretrained", "value": 40.0}]
    assert (second["values"], second["axis"]) == ([8, 200], "logarithm")
    assert len(unpack_rows(body["analyses"][0]["rows"])) == 4
