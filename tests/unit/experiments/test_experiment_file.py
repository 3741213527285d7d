from pathlib import Path

import pytest

from neuroforge.contracts.experiments import Budget, ExperimentConfig, Gate, Judge
from neuroforge.errors import ConfigError, DataError
from neuroforge.experiments.experiment_file import read_experiment

WHOLE = """
name: study
models: [small, big]
datasets:
  - mmlu:20
  - {name: own.csv, n: 2, fields: {question: "{{ Frage }}", reference: "{{ Antwort }}", scorer: numeric}, label: own}
prompts:
  plain: "{{ query }}"
  steps: {template: "{{ query }} Think step by step.", system: "You are careful."}
decodings:
  greedy:
  warm: {temperature: 0.7, max_tokens: 64}
repeats: 2
metrics: [quality, speed]
judge: {model_id: big, mode: pairwise}
budget: {max_calls: 100, max_duration: 10m}
planned: [["small|plain|greedy", "big|plain|greedy"]]
gates: ["small >= big - 0.02"]
seed: 3
"""
CSV = "Frage,Antwort\n1+1?,2\n2+2?,4\n3+3?,6\n"


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "own.csv").write_text(CSV)
    path = tmp_path / "exp.yaml"
    path.write_text(text)
    return path


def test_everything_that_may_stand_in_the_file_is_read(tmp_path: Path) -> None:
    experiment = read_experiment(write(tmp_path, WHOLE))
    config = experiment.config
    assert (config.datasets[0].name, config.datasets[0].n) == ("mmlu", 20)
    assert (config.datasets[1].name, config.datasets[1].uploaded) == ("own", next(iter(experiment.uploads)))
    assert [(one.name, one.system) for one in config.prompts] == [("plain", None), ("steps", "You are careful.")]
    assert [(one.name, one.temperature, one.max_tokens) for one in config.decodings] == [
        ("greedy", 0.0, None), ("warm", 0.7, 64)
    ]  # fmt: skip
    assert (config.repeats, config.metrics, config.seed) == (2, ("quality", "speed"), 3)
    assert config.judge == Judge(model_id="big", mode="pairwise")
    assert config.budget == Budget(max_calls=100, max_duration=600)
    assert config.gates == (Gate(better="small", reference="big", margin=0.02),)
    assert config.planned == (("small|plain|greedy", "big|plain|greedy"),)


def test_a_local_file_is_uploaded_with_its_fields_mapped_and_sampled(tmp_path: Path) -> None:
    (content,) = read_experiment(write(tmp_path, WHOLE)).uploads.values()
    lines = content.decode().splitlines()
    assert len(lines) == 2
    assert '"numeric"' in lines[0]


def test_short_forms_mean_the_long_ones(tmp_path: Path) -> None:
    short = read_experiment(
        write(tmp_path, "name: s\nmodels: [a]\ndatasets: mmlu\nprompts: ['{{ query }}', 'Q: {{ query }}']")
    )
    assert [one.name for one in short.config.prompts] == ["p1", "p2"]
    assert short.config == ExperimentConfig.model_validate(
        {
            "name": "s",
            "models": ["a"],
            "datasets": [{"name": "mmlu"}],
            "prompts": [{"name": "p1", "template": "{{ query }}"}, {"name": "p2", "template": "Q: {{ query }}"}],
        }
    )


def test_gates_of_the_command_line_are_added(tmp_path: Path) -> None:
    more = (Gate(better="big", reference="small"),)
    assert len(read_experiment(write(tmp_path, WHOLE), more).config.gates) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("modles: [a]", "modles: unknown key; did you mean 'models'?"),
        ("budget: {max_call: 3}", "budget.max_call: unknown key; did you mean 'max_calls'?"),
        ("datasets: [{name: mmlu, fileds: {}}]", "fileds: unknown key; did you mean 'fields'?"),
        ("datasets: [mmlu:0]", "must be at least 1"),
        ("datasets: []", "datasets"),
        ("gates: ['a > b']", "model_b >= model_a - 0.02"),
        ("prompts: {a: {tmplate: x}}", "did you mean 'template'?"),
        ("metrics: [qality]", "quality"),
        ("repeats: 0", "repeats"),
        ("judge: {model_id: a, mode: both}", "pairwise"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_allowed(tmp_path: Path, line: str, words: str) -> None:
    base = {"name": "name: s", "models": "models: [a]", "datasets": "datasets: mmlu:5"}
    base.pop(line.partition(":")[0], None)
    with pytest.raises(ConfigError) as caught:
        read_experiment(write(tmp_path, "\n".join([*base.values(), line])))
    assert words in caught.value.message


@pytest.mark.parametrize("text", ["", "- a", "name: [", "name: s"])
def test_what_is_no_experiment_is_refused_with_the_files_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"exp\.yaml"):
        read_experiment(write(tmp_path, text))


def test_rows_that_cannot_be_used_are_named_before_anything_is_sent(tmp_path: Path) -> None:
    fields = "{question: '{{ Farge }}', reference: '{{ Antwort }}'}"
    text = f"name: s\nmodels: [a]\ndatasets: [{{name: own.csv, fields: {fields}}}]"
    with pytest.raises(DataError, match="Farge"):
        read_experiment(write(tmp_path, text))


def test_a_registry_dataset_may_be_asked_in_its_published_form(tmp_path: Path) -> None:
    text = "name: s\nmodels: [a]\ndatasets: [{name: mmlu, n: 5, form: published}]\n"
    assert read_experiment(write(tmp_path, text)).config.datasets[0].form == "published"
