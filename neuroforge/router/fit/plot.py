"""Evaluation -> PNG of the cost-quality curve."""

from pathlib import Path

from neuroforge.errors import DataError
from neuroforge.router.fit.report import Evaluation


def plot_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write the cost-quality curve, with every single model, kNN's and the oracle's score beside it.

    Raises:
        DataError: The files told no costs, or the image cannot be written.
    """
    curve = evaluation.curve
    if curve is None:
        raise DataError(f"{path}: no plot without costs: give `costs` {{model: USD}} in one of the files")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([one.cost for one in curve.points], [one.score for one in curve.points], marker=".", label="router")
    for name, (cost, score) in curve.singles.items():
        axes.plot(cost, score, "o", color="tab:grey")
        axes.annotate(name, (cost, score), xytext=(4, -10), textcoords="offset points", fontsize=7)
    axes.axhline(evaluation.knn.mean, linestyle=":", color="tab:orange", label=f"kNN (k = {evaluation.knn.k})")
    axes.axhline(evaluation.oracle.mean, linestyle=":", color="tab:green", label="oracle")
    axes.set_xlabel(f"mean cost of a question ({curve.unit})")
    axes.set_ylabel("mean score")
    axes.grid(alpha=0.3)
    axes.legend()
    try:
        FigureCanvasAgg(figure).print_figure(str(path), format="png")
    except OSError as error:
        raise DataError(f"{path}: the plot cannot be written: {error.strerror}") from error
