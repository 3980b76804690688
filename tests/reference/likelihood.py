"""Pseudo-log-likelihood one piece at a time, with plain transformers."""

import torch
from transformers import AutoTokenizer, BertForMaskedLM


def score_text(folder, text: str, *, layer: int | None = None) -> float:
    """Sum of the log-probabilities of all pieces but special ones; the rest of a word behind a piece is hidden too."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = BertForMaskedLM.from_pretrained(folder).eval()
    encoding = tokenizer(text, return_tensors="pt")
    words = encoding.word_ids(0)
    total = 0.0
    for place, word in enumerate(words):
        if word is None:
            continue
        ids = encoding["input_ids"].clone()
        for other in range(place, len(words)):
            if words[other] == word:
                ids[0, other] = tokenizer.mask_token_id
        with torch.no_grad():
            output = model(ids, attention_mask=encoding["attention_mask"], output_hidden_states=True)
            logits = output.logits if layer is None else model.cls(output.hidden_states[layer])
        total += float(logits[0, place].log_softmax(dim=-1)[encoding["input_ids"][0, place]])
    return total
