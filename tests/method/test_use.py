"""Use: what goes on in the rest of an encoder when the subspace of a label is erased or patched at one layer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertForMaskedLM

from probes.config import parse
from probes.encoder.output import load_head
from probes.errors import ConfigError, EncoderError, TaskError
from probes.fit.fit import fit_probes
from probes.method import find_method
from probes.method.use import METHOD, UseSettings, apply_use
from probes.method.use_edit import make_edits
from probes.method.use_effect import Watch, predict_hidden, walk
from probes.method.use_sample import draw_sample
from probes.types import Corpus
from tests.method.used import (
    COPY,
    LABEL,
    WORDS,
    bits,
    make_words,
    planted_states,
    save_planted,
    use_subject,
)
from tests.reference.continuation import continue_by_hand


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("planted")
    return {
        "used": save_planted(place / "used", is_used=True, has_head=True),
        "unused": save_planted(place / "unused", is_used=False),
    }


@pytest.fixture(scope="module")
def subjects(folders):
    return {name: use_subject(folder) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def found(subjects):
    settings = UseSettings(sentences=18, refit_sentences=20, draws=2)
    return {name: apply_use(subject, settings) for name, subject in subjects.items()}


def rows(findings, **wanted):
    """Rows with these fields and coordinates; means over draws unless a draw is asked for."""
    return [
        row
        for row in findings.rows
        if all(
            (row.at.get(key) if key in ("edited", "how") else getattr(row, key)) == value
            for key, value in ({"draw": None} | wanted).items()
        )
    ]


def value(findings, **wanted) -> float:
    (row,) = rows(findings, **wanted)
    return row.value


# The planted encoders are what they are said to be.


@pytest.mark.parametrize("name", ["used", "unused"])
def test_planted_label_moves_from_its_own_dims_to_the_copy(name, folders):
    states = planted_states(folders[name])
    label = torch.tensor([bits(number)[0] for number in range(len(WORDS))]).float()
    scale = (64 / 62) ** 0.5
    for layer, (old, new) in enumerate([(1, 0), (1, 0), (0, 1), (0, 1)]):
        torch.testing.assert_close(states[layer, :, LABEL], old * scale * label, rtol=0, atol=1e-3)
        torch.testing.assert_close(states[layer, :, COPY], new * scale * label, rtol=0, atol=1e-3)


# Used and unused.


@pytest.mark.parametrize("name", ["used", "unused"])
def test_ordinary_probes_read_the_label_everywhere(name, found):
    assert [row.value for row in rows(found[name], variant="untouched", metric="accuracy", how="erase")] == [1.0] * 4


@pytest.mark.parametrize("name", ["used", "unused"])
@pytest.mark.parametrize("edited", [0, 1, 2])
def test_erased_label_is_not_read_where_it_was_erased(name, edited, found):
    assert value(found[name], variant="erased", metric="accuracy", edited=edited, layer=edited) <= 0.6


@pytest.mark.parametrize("edited", [0, 1])
@pytest.mark.parametrize("layer", [2, 3])
def test_erasing_what_is_used_destroys_it_above(edited, layer, found):
    where = {"edited": edited, "layer": layer, "how": "erase"}
    assert value(found["used"], variant="erased", metric="accuracy", **where) <= 0.6
    assert value(found["used"], variant="random", metric="accuracy", **where) >= 0.95
    (effect,) = rows(found["used"], variant="effect", metric="accuracy_effect", **where)
    assert effect.high < -0.3


@pytest.mark.parametrize("edited", [0, 1])
@pytest.mark.parametrize("layer", [2, 3])
def test_erasing_what_is_not_used_changes_nothing_above(edited, layer, found):
    where = {"edited": edited, "layer": layer, "how": "erase"}
    assert value(found["unused"], variant="erased", metric="accuracy", **where) >= 0.99
    assert value(found["unused"], variant="effect", metric="accuracy_effect", **where) >= -0.01


@pytest.mark.parametrize("name", ["used", "unused"])
def test_probe_fitted_anew_does_not_find_what_is_gone(name, found):
    where = {"metric": "refit_accuracy", "layer": 3, "edited": 1}
    assert (value(found[name], variant="erased", **where) <= 0.65) == (name == "used")
    assert value(found[name], variant="random", **where) >= 0.95
    assert value(found[name], variant="untouched", metric="refit_accuracy", layer=3) == 1


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_later_layers_follow_a_patch_of_what_is_used(layer, found):
    where = {"metric": "followed", "edited": 1, "layer": layer}
    assert value(found["used"], variant="patched", **where) == 1
    assert value(found["used"], variant="random", **where) <= 0.1
    assert value(found["used"], variant="untouched", metric="followed", layer=layer) == 0
    assert value(found["used"], variant="patched", metric="accuracy", edited=1, layer=layer) == 0


def test_later_layers_do_not_follow_a_patch_of_what_is_not_used(found):
    by_layer = {row.layer: row.value for row in rows(found["unused"], variant="patched", metric="followed", edited=1)}
    assert by_layer == {1: 1, 2: 0, 3: 0}


# The numbers.


def test_effects_equal_a_continuation_written_out_by_hand(subjects):
    subject = subjects["used"]
    sample = draw_sample(subject, "test", 6)
    edits = make_edits(subject, 1, hows=["erase", "patch"], draws=1)
    probes = fit_probes(subject.cache, [subject.task], subject.run.fit, seed=0)
    watch = Watch(sample, probes, edits, None)
    watch.look()
    encoder = subject.encoder
    sentences = {one.id: one for one in subject.corpus["test"]}
    by_words = {one.words: one for one in sentences.values()}
    read = [tuple(encoding.tokens[1:-1]) for encoding in sample.words.encodings]
    for number, words in enumerate(read):
        assert words in by_words
        states = encoder([words]).hidden_states
        examples = np.flatnonzero(sample.word // 16 == number)
        assert (
            sample.labels[examples] == [subject.task.labels.index(tag) for tag in by_words[words].columns["upos"]]
        ).all()
        for edit_number, edit in enumerate(edits):
            edited = states[1].clone().double()
            for word, example in enumerate(examples):
                row = edited[0, word + 1]
                target = int(sample.target[example])
                if edit.how == "patch" and target < 0:
                    continue
                eraser = edit.eraser
                gone = row - eraser.left @ (eraser.right @ (row - eraser.mean))
                edited[0, word + 1] = gone if edit.how == "erase" else gone + edit.shifts[target]
            made = continue_by_hand(encoder.model, 1, edited.float(), torch.ones(1, 18))
            for layer, state in enumerate(made, start=1):
                logits = probes.logits(state[0, 1:-1].numpy(), layer)[:, 0]
                is_clear = np.ptp(logits, axis=1) > 1e-3
                predicted = watch.effects.predicted[edit_number, layer, examples]
                np.testing.assert_array_equal(predicted[is_clear], logits.argmax(axis=1)[is_clear])
                moved = (state - states[layer])[0, 1:-1].norm(dim=-1) / states[layer][0, 1:-1].norm(dim=-1)
                np.testing.assert_allclose(watch.effects.moved[edit_number, layer, examples], moved, atol=1e-4)
            assert (watch.effects.predicted[edit_number, 0, examples] == -1).all()


@pytest.mark.parametrize("is_hidden", [False, True])
def test_output_equals_the_whole_model(is_hidden, subjects, folders):
    subject = subjects["used"]
    head, sample = load_head(subject.encoder), draw_sample(subject, "test", 6)
    if is_hidden:
        output = predict_hidden(sample, head, edits=[])
    else:
        probes = fit_probes(subject.cache, [subject.task], subject.run.fit, seed=0)
        watch = Watch(sample, probes, [], head)
        watch.look()
        output = watch.shown
    model = BertForMaskedLM.from_pretrained(folders["used"]).eval()
    losses, right = [], []
    for number, encoding in enumerate(sample.words.encodings):
        ids = torch.tensor([encoding.ids])
        places = sample.word[sample.is_hidden & (sample.word // 16 == number)] % 16 + 1
        labels = torch.full_like(ids, -100)
        labels[0, places] = ids[0, places]
        read = ids.clone()
        if is_hidden:
            read[0, places] = head.mask_id
        with torch.no_grad():
            made = model(read, labels=labels)
        losses.append((float(made.loss) * len(places), len(places)))
        right.append((made.logits.argmax(-1) == labels).sum().item())
    total = sum(size for _, size in losses)
    assert output.nll_nats.shape == (1, total)
    assert output.nll_nats.sum() == pytest.approx(sum(loss for loss, _ in losses), rel=1e-5)
    assert output.is_right.sum() == sum(right)


def test_interval_is_that_of_whole_groups(found):
    for row in rows(found["used"], metric="accuracy", how="erase"):
        assert (row.n, row.groups) == (18 * 16, 6)
        assert row.low <= row.value <= row.high
    for row in rows(found["used"], metric="followed"):
        assert (row.n, row.groups) == (18 * 2, 6)


def test_difference_is_the_edit_less_the_mean_of_its_random_draws(found):
    for where in ({"edited": 0, "layer": 3}, {"edited": 1, "layer": 1}):
        draws = [
            value(found["used"], variant="random", metric="moved", how="erase", draw=draw, **where) for draw in (0, 1)
        ]
        mean = value(found["used"], variant="random", metric="moved", how="erase", **where)
        assert mean == pytest.approx(np.mean(draws), rel=1e-6)
        own = value(found["used"], variant="erased", metric="moved", **where)
        effect = value(found["used"], variant="effect", metric="moved_effect", how="erase", **where)
        assert effect == pytest.approx(own - mean, rel=1e-6)


def test_every_edited_layer_is_read_there_and_above(found):
    places = {(row.at["edited"], row.layer) for row in rows(found["used"], variant="erased", metric="accuracy")}
    assert places == {(edited, layer) for edited in range(4) for layer in range(edited, 4)}


def test_layer_without_an_edit_has_no_states_below(subjects):
    sample = draw_sample(subjects["used"], "test", 3)
    for _, number, states in walk(sample, make_edits(subjects["used"], 2, hows=["erase"], draws=1)):
        assert len(states) == (4 if number is None else 2)


# What is edited, hidden and drawn.


def test_special_pieces_and_padding_stay_as_they_are(subjects):
    (edit, *_) = make_edits(subjects["used"], 1, hows=["erase"], draws=1)
    (patch, *_) = make_edits(subjects["used"], 1, hows=["patch"], draws=1)
    states = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0))
    word = torch.tensor([[-1, 0, 0, 1, -1], [-1, 2, -1, -1, -1]])
    target = torch.tensor([1, -1, -1])
    is_changed = (edit(states, word, target) != states).any(dim=-1)
    assert torch.equal(is_changed, word >= 0)
    is_changed = (patch(states, word, target) != states).any(dim=-1)
    assert is_changed.nonzero().tolist() == [[0, 1], [0, 2]]


def test_patched_state_has_the_coordinates_of_the_class_mean(subjects):
    subject = subjects["used"]
    for edit in make_edits(subject, 1, hows=["patch"], draws=2):
        states = torch.from_numpy(np.array(subject.cache.layer(1, "train"), dtype=np.float64))
        labels = subject.task.splits["train"].labels
        word = torch.arange(len(states))[:, None]
        for code in range(2):
            made = edit(states[:, None], word, torch.full((len(states),), code))[:, 0]
            mean = states[torch.from_numpy(labels == code)].mean(dim=0)
            coordinates, wanted = made @ edit.eraser.right.T, mean @ edit.eraser.right.T
            torch.testing.assert_close(coordinates, wanted.expand_as(coordinates), rtol=0, atol=1e-6)
            torch.testing.assert_close(edit.eraser(made), edit.eraser(states), rtol=0, atol=1e-6)


def test_random_subspaces_have_the_rank_of_the_labels(subjects):
    edits = make_edits(subjects["used"], 1, hows=["erase", "patch"], draws=3)
    assert [(edit.how, edit.draw, edit.eraser.rank) for edit in edits] == [
        (how, draw, 1) for how in ("erase", "patch") for draw in (None, 0, 1, 2)
    ]
    other = make_edits(subjects["used"], 2, hows=["erase"], draws=1)
    assert not torch.allclose(edits[1].eraser.right, edits[2].eraser.right)
    assert not torch.allclose(edits[1].eraser.right, other[1].eraser.right)


def test_sentences_are_drawn_group_by_group(subjects):
    subject = subjects["used"]
    small, large = (draw_sample(subject, "test", size) for size in (7, 24))
    assert [len(set(one.groups)) for one in (small, large)] == [3, 8]
    texts = [[tuple(encoding.tokens) for encoding in one.words.encodings] for one in (small, large)]
    assert texts[0] == texts[1][:7]
    order = [tuple(encoding.tokens[1:-1]) for encoding in large.words.encodings]
    assert order != [one.words for one in subject.corpus["test"]]
    group = {one.words: one.group for one in subject.corpus["test"]}
    by_place = [group[words] for words in order]
    assert all(len(set(by_place[start : start + 3])) == 1 for start in range(0, 24, 3))


def test_some_words_of_every_sentence_get_a_class_that_is_not_theirs(subjects):
    sample = draw_sample(subjects["used"], "test", 24)
    chosen = np.bincount(sample.word[sample.is_chosen] // 16, minlength=24)
    assert chosen.tolist() == [2] * 24
    assert (sample.target[sample.is_chosen] == 1 - sample.labels[sample.is_chosen]).all()


def test_words_of_several_pieces_are_patched_and_not_hidden(folders):
    corpus = make_words()
    first = corpus["test"][0]
    odd = replace(first, words=("x12", *first.words[1:]))
    subject = use_subject(folders["used"], Corpus("odd", {**corpus.splits, "test": (odd, *corpus["test"][1:])}))
    sample = draw_sample(subject, "test", 24)
    assert sorted(set(sample.words.num_pieces.tolist())) == [1, 3]
    every = replace(sample, target=np.zeros(len(sample.word), dtype=np.int64))
    assert (every.is_chosen & ~every.is_hidden).sum() == 1


def test_long_sentences_are_left_out_and_counted(folders):
    encoder = {"name": str(folders["unused"]), "max_pieces": 18, "length": "truncate"}
    corpus = make_words()
    first = corpus["test"][0]
    long = replace(first, words=first.words * 2, columns={"upos": first.columns["upos"] * 2}, tree=None)
    subject = use_subject(
        folders["unused"], Corpus("long", {**corpus.splits, "test": (long, *corpus["test"][1:])}), encoder=encoder
    )
    findings = apply_use(subject, UseSettings(how=("erase",), at_layer=(1,), draws=1))
    assert findings.notes["sentences"] == {"test": 23}
    assert findings.notes["sentences_too_long"] == {"test": 1}
    assert findings.notes["words"] == {"test": 23 * 16}
    assert {row.n for row in findings.rows} == {23 * 16}


def test_same_settings_give_the_same_rows(subjects, found):
    settings = UseSettings(how=("patch",), at_layer=(1,), draws=1, sentences=18)
    first, second = (apply_use(subjects["unused"], settings) for _ in range(2))
    assert first == second
    # Another edit, layer or draw changes nothing.
    for row in first.rows:
        if row.variant in ("patched", "untouched") or row.draw == 0:
            assert row in found["unused"].rows


# Output, panels and notes.


def test_output_is_measured_where_there_is_a_head(found):
    metrics = {"masked_nll_nats", "masked_accuracy", "shown_nll_nats", "shown_accuracy"}
    for metric in metrics:
        made = rows(found["used"], metric=metric)
        assert {row.layer for row in made} == {3}
        assert {(row.variant, row.at.get("edited")) for row in made} == {
            ("untouched", None),
            *((variant, edited) for variant in ("erased", "random") for edited in range(4)),
        }
        assert {row.n for row in made} == {36}
    assert found["used"].notes["no_output"] is None
    assert not metrics & {row.metric for row in found["unused"].rows}
    assert (
        found["unused"]
        .notes["no_output"]
        .endswith(
            "comes from a checkpoint that lacks cls.predictions.bias, which would be random. "
            "Use a checkpoint with a masked-word head, or measure later layers only."
        )
    )


def test_last_layer_is_edited_where_a_head_reads_it(found):
    edited = {name: {row.at["edited"] for row in one.rows if "edited" in row.at} for name, one in found.items()}
    assert edited == {"used": {0, 1, 2, 3}, "unused": {0, 1, 2}}


def test_panels_show_what_was_measured(found):
    by_layer = [("accuracy", "layer"), ("followed", "layer")]
    at_last = ["accuracy", "refit_accuracy", "followed", "moved"]
    output = ["masked_nll_nats", "shown_nll_nats"]
    shown = {name: [(panel.metric, panel.x) for panel in one.panels] for name, one in found.items()}
    assert shown["unused"] == [*by_layer, *((metric, "edited") for metric in at_last)]
    assert shown["used"] == [*shown["unused"], *((metric, "edited") for metric in output)]


def test_notes_count_what_was_looked_at(found):
    notes = found["unused"].notes
    assert notes | {"no_output": ""} == {
        "sentences": {"test": 18, "train": 20, "dev": 5},
        "sentences_too_long": {"test": 0, "train": 0, "dev": 0},
        "words": {"test": 288, "train": 320, "dev": 80},
        "words_patched": 36,
        "words_hidden": 36,
        "rank": {"0": 1, "1": 1, "2": 1},
        "no_output": "",
    }


def test_method_is_found_by_its_name():
    assert find_method("use") is METHOD


# Mistakes.


def test_unknown_setting():
    with pytest.raises(ConfigError) as error:
        parse(UseSettings, {"at_layers": [1]}, where="method 'use'")
    assert str(error.value) == (
        "method 'use': Unknown key 'at_layers'. Known keys at the top are 'at_layer', 'refit_sentences', "
        "'sentences', 'draws', 'how'. Rename or remove it."
    )


def test_layer_that_does_not_exist(subjects):
    with pytest.raises(ConfigError) as error:
        apply_use(subjects["used"], UseSettings(at_layer=(1, 4)))
    assert str(error.value) == (
        "method.options.at_layer should be layers of the encoder, 0 (the embeddings) to 3, but has 4. Leave it out."
    )


def test_controls_are_refused(folders):
    with pytest.raises(ConfigError) as error:
        apply_use(use_subject(folders["used"], task={"name": "pos", "controls": ["word_type"]}), UseSettings())
    assert str(error.value) == (
        "The control of method 'use' are random subspaces, but the run asks for the control 'word_type'. "
        "Leave task.controls empty."
    )


@pytest.mark.parametrize("task", ["dependency_edge", "label"])
def test_tasks_over_other_things_than_words_are_refused(task, folders):
    splits = {
        split: tuple(replace(one, attributes={"label": "ab"[number % 2]}) for number, one in enumerate(part))
        for split, part in make_words().splits.items()
    }
    subject = use_subject(folders["used"], Corpus("labelled", splits), task={"name": task, "controls": []})
    with pytest.raises(TaskError) as error:
        apply_use(subject, UseSettings())
    assert str(error.value) == (
        f"Method 'use' edits the states of words by their label, but task {task!r} has not one label for each word. "
        f"Choose a task such as 'pos'."
    )


def test_cache_of_another_encoder_is_refused(subjects):
    subject = replace(subjects["used"], given=subjects["unused"].cache)
    with pytest.raises(EncoderError) as error:
        apply_use(subject, UseSettings())
    assert str(error.value) == (
        f"Method 'use' lets the encoder go on that made the cache, but {subject.cache.folder.name} was not made by "
        f"{subject.run.encoder.name!r} as it is now. Encode the corpus again."
    )


def test_sample_without_an_example_is_refused(subjects):
    subject = replace(subjects["used"], given=subjects["used"].cache)
    rows = subject.task.splits["test"]
    none = replace(rows, index=rows.index[:0], labels=rows.labels[:0], groups=rows.groups[:0], words=rows.words[:0])
    subject.__dict__["task"] = replace(subject.task, splits={**subject.task.splits, "test": none})
    with pytest.raises(TaskError) as error:
        draw_sample(subject, "test", 5)
    assert str(error.value) == (
        "Method 'use' looks at words that task 'pos' labels, but the 5 sentences drawn from split 'test' have none "
        "that the encoder reads. Draw more sentences."
    )
