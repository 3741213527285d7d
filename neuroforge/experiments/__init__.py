"""ExperimentConfig -> matrix -> batch -> run -> score -> analyse -> report -> rules; pipeline.py calls them."""

from neuroforge.experiments.experiment import Experiment
from neuroforge.experiments.prompt_dataset import PromptDataset, load_prompt_dataset

__all__ = ["Experiment", "PromptDataset", "load_prompt_dataset"]
