"""Make data/smollm2_label_logprobs.json: what transformers says of the labels that test_label_logprobs.py asks about.

    python tests/contract/make_label_logprobs.py SmolLM2-135M-Instruct.Q4_1.gguf

needs torch (CPU), transformers, gguf and accelerate, in an environment of its own. transformers dequantises the weights
to float32 and computes in float32; the sum over a label's tokens is taken in float64.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

OUT = Path(__file__).parent / "data" / "smollm2_label_logprobs.json"
LETTERS = ["A", "B", "C", "D"]
CASES: list[dict[str, Any]] = [
    {"text": "The capital of France is", "labels": [" Paris", " London", " a small village in Wales", " xylophone"]},
    {"text": "Question: What is 2 + 2?\nA. 3\nB. 4\nC. 5\nD. 6\nAnswer:", "labels": [" A", " B", " C", " D", "E"]},
    {"text": "Review: I loved this film.\nSentiment: ", "labels": ["positive", "negative", "neither of the two"]},
    {"text": "def add(a, b):\n    return", "labels": [" a + b", " a - b", " None", "ed"]},
    {"text": "Das Wetter ist heute sehr", "labels": [" schön", " schlecht", " 🌧️", " ünverständlich"]},
    {"text": "The answer is un", "labels": ["believable", "known", "-", "\n"]},
    {
        "messages": [{"role": "user", "content": "Which letter comes after B? Answer with one letter."}],
        "labels": LETTERS,
    },
    {
        "messages": [
            {"role": "system", "content": "You classify sentiment."},
            {"role": "user", "content": "What a dreadful day."},
        ],
        "labels": ["positive", "negative", "mixed feelings", "<|im_end|>"],
    },
]


def label_ids(tokenizer: Any, prompt: str, prompt_ids: list[int], label: str) -> list[int]:
    """The rule of neuroforge.engines.label_scores."""
    joint = tokenizer(prompt + label, add_special_tokens=False).input_ids
    if joint[: len(prompt_ids)] == prompt_ids and len(joint) > len(prompt_ids):
        return joint[len(prompt_ids) :]
    return tokenizer(label, add_special_tokens=False).input_ids


def logprob(model: Any, prompt_ids: list[int], ids: list[int]) -> float:
    """Sum of log P of the label's tokens."""
    with torch.no_grad():
        logits = model(torch.tensor([prompt_ids + ids])).logits[0]
    rows = torch.log_softmax(logits[len(prompt_ids) - 1 : -1].double(), dim=-1)
    return float(rows[torch.arange(len(ids)), torch.tensor(ids)].sum())


def main(path: Path) -> None:
    """Compute all cases and write the file."""
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    cases = []
    for case in CASES:
        prompt = case.get("text")
        if prompt is None:
            prompt = tokenizer.apply_chat_template(case["messages"], tokenize=False, add_generation_prompt=True)
        prompt_ids = tokenizer(prompt, add_special_tokens=False).input_ids
        by_label = [label_ids(tokenizer, prompt, prompt_ids, label) for label in case["labels"]]
        scores = [
            {"label": label, "logprob": logprob(model, prompt_ids, ids), "n_tokens": len(ids)}
            for label, ids in zip(case["labels"], by_label, strict=True)
        ]
        given = {name: case[name] for name in ("text", "messages") if name in case}
        cases.append({"prompt": given, "n_prompt_tokens": len(prompt_ids), "scores": scores})
    made_with = {"transformers": transformers.__version__, "torch": torch.__version__, "weights": path.name}
    OUT.write_text(json.dumps({"made_with": made_with, "cases": cases}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
