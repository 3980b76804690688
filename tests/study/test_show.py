"""`probes show`: what every layer says about a sentence, and where they disagree."""

import json

import numpy as np
import pytest
from rich.console import Console

from probes.errors import FitError, ResultError
from probes.report.shown import Shown, html_page, to_html, to_terminal
from probes.study.curves import read_results
from tests.toy import CHECKOUT, call_probes

FILE = str(CHECKOUT / "experiments" / "layer_pos.yaml")
SENTENCE = "The dog sees a cat."


def make(answers, labels=("D", "N", "V"), *, is_sentence=False, share=0.8):
    """Shares in which each layer gives each word one label with probability `share`."""
    rest = (1 - share) / (len(labels) - 1)
    one = np.eye(len(labels))[[[labels.index(label) for label in row] for row in answers]]
    words = ("a text",) if is_sentence else tuple(f"w{number}" for number in range(len(answers[0])))
    layers = ("emb", *map(str, range(1, len(answers))))
    return Shown("pos, x", words, layers, labels, rest + one * (share - rest), is_sentence)


def render(shown, **fields):
    console = Console(width=100, **fields)
    with console.capture() as captured:
        console.print(to_terminal(shown))
    return captured.get()


def test_words_are_rows_and_a_label_unlike_the_others_is_marked():
    lines = [line.split() for line in str(make([["D", "N"], ["D", "V"], ["D", "V"]])).splitlines() if line.split()]
    assert lines[0] == ["pos,", "x"]
    assert lines[1] == ["word", "emb", "1", "2", "agree"]
    assert lines[3:] == [["w0", "D", "D", "D", "3/3"], ["w1", "*N", "V", "V", "2/3"]]


def test_of_equally_frequent_labels_the_lower_layer_has_the_usual_one():
    shown = make([["N"], ["V"]])
    assert shown.usual == [("N", 1)]


def test_a_sentence_has_a_row_a_layer_with_its_probability():
    lines = [line.split() for line in str(make([["D"], ["V"]], is_sentence=True)).splitlines() if line.split()]
    assert lines[1] == ["layer", "label", "probability"]
    assert lines[3:] == [["emb", "D", "0.80", "█" * 16], ["1", "V", "0.80", "█" * 16]]


def test_labels_have_colours_and_a_marked_one_is_filled():
    text = render(make([["D", "N"], ["D", "V"], ["D", "V"]]), force_terminal=True, color_system="truecolor")
    assert "\x1b[38;2;0;114;178mD" in text
    assert "48;2;0;158;115m*N" in text


def test_html_says_the_same_with_the_likeliest_labels_and_escapes_text():
    shown = make([["N"], ["<&"], ["<&"]], labels=("N", "<&", "V"))
    text = to_html(shown)
    assert text.count("&lt;&amp;</td>") == 2
    assert "<&" not in text
    assert 'title="N 0.80, &lt;&amp; 0.10, V 0.10"' in text
    assert text.count("background:") == 1
    page = html_page([shown, shown])
    assert page.count("<table") == 2
    assert page.startswith("<!doctype html>")


def test_many_labels_do_not_run_out_of_colours():
    labels = tuple("abcdefghij")
    assert len(make([list(labels)], labels=labels).colors) == 10


def test_what_is_shown_are_the_predictions_and_shares_that_sum_to_one(curve):
    shown = curve.show(SENTENCE)
    assert shown.words == ("The", "dog", "sees", "a", "cat", ".")
    for layer in (0, 5, 12):
        assert shown.answers[layer] == curve.predict([SENTENCE], layer=layer)[0]
    assert shown.shares.shape == (13, 6, len(shown.labels))
    assert shown.shares.sum(axis=2) == pytest.approx(1.0)
    assert shown.title == f"pos, {curve.record.config['encoder']['name']}, pretrained"


def test_command_shows_the_pretrained_curve_and_twins_on_request(copy, settings, capsys, curve):
    assert call_probes("show", FILE, SENTENCE, *settings) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert "\n".join(lines).strip("\n") == str(curve.show(SENTENCE))
    assert call_probes("show", FILE, SENTENCE, "--json", "--twins", *settings) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["title"].rpartition(", ")[2] for row in rows] == ["pretrained", *(f"untrained {n}" for n in range(3))]
    assert rows[0]["layers"]["emb"] == curve.predict([SENTENCE], layer=0)[0]
    assert all(0 < share <= 1 for share in rows[0]["probabilities"]["12"])


def test_command_reads_a_file_of_sentences_and_a_curve_and_writes_html(copy, capsys, study, tmp_path):
    (tmp_path / "texts.txt").write_text("the dog\n\n the cat \n", encoding="utf-8")
    path = next(path for path in (copy / "runs" / "layer_pos").glob("*.json") if "untrained" not in path.name)
    place = tmp_path / "new" / "answers.html"
    assert call_probes("show", path, tmp_path / "texts.txt", "--json", "--html", place) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["words"] for row in rows] == [["the", "dog"], ["the", "cat"]]
    assert place.read_text(encoding="utf-8").count("<table") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((FILE, "   "), 2, "A sentence was expected, but '   ' has no words. Give one in quotes."),
        ((FILE, "a dog", "--set", "seed=9"), 2, "1 are not there, such as results/runs/layer_pos/"),
        ((str(CHECKOUT / "experiments" / "online.yaml"), "a dog"), 2, "but it asks the method 'online'."),
    ],
)
def test_what_cannot_be_shown_is_told(copy, capsys, arguments, code, message):
    assert call_probes("show", *arguments) == code
    found = capsys.readouterr().err
    assert message in found
    assert "Traceback" not in found


def test_a_file_that_is_no_text_is_told_with_its_line(copy, settings, capsys, tmp_path):
    (tmp_path / "bad.txt").write_bytes(b"the dog\nthe caf\xe9\n")
    assert call_probes("show", FILE, tmp_path / "bad.txt", *settings) == 2
    assert capsys.readouterr().err == (
        f"probes: {tmp_path / 'bad.txt'}:2: Expected UTF-8, but came byte 0xe9. Save the file as UTF-8.\n"
    )


def test_numbers_and_lost_probes_are_told(curve, monkeypatch, tmp_path, study):
    from dataclasses import replace

    predictor = curve.predictor
    numbers = replace(predictor, source=replace(predictor._probes, answer="number"))
    with pytest.raises(FitError, match="A task that answers one of several classes was expected"):
        replace(curve, predictor=numbers).show("the dog")
    with pytest.raises(ResultError, match="Prediction needs the fitted probes"):
        replace(curve, predictor=None).show("the dog")
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    with pytest.raises(FitError, match="Fitted probes were expected in"):
        read_results("layer_pos", study.results)["pretrained"].show("the dog")
