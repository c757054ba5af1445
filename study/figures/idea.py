"""The question as a picture: network, kernel before training, groups in it, their silhouette, the loss in the end?"""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples

from pntk.curriculum import Phase
from pntk.data import draw_phase_data
from pntk.kernels.multitask import entk
from pntk.network import Networks, base_networks
from pntk.structure.silhouette import Start, starts, svd_right
from pntk.tasks import Environment, encode
from study.figures.style import CYCLE, GREY

PATTERNS, GROUPS = 200, 12
PANELS = (
    "a network, not trained yet",
    "its kernel: which pattern\nwill move which",
    "groups of patterns\nin the kernel's vectors",
    "silhouette: how clearly\nthey are apart",
    "does it say how well\nthis network will do?",
)
Array = NDArray[np.float64]


def measured() -> tuple[Array, Array, NDArray[np.int64]]:
    """Of one standard network: its eNTK summed over outputs (N, N), the features that are grouped (N, R), and the groups."""
    environment = Environment()
    drawn = draw_phase_data(environment, Phase("single", (1.0,), 1, 0.01), 0, PATTERNS, PATTERNS)
    networks: Networks = base_networks(environment, 200, [0])
    train, targets = (torch.from_numpy(part)[None] for part in encode(environment, drawn.train))
    test = torch.from_numpy(encode(environment, drawn.test)[0])[None]
    start: Start = starts(networks, test, train, targets)[0]
    features = svd_right(start)
    kernel = entk(networks, train[0], train[0], targets[0])[0].sum(dim=1).cpu().numpy()
    groups = KMeans(GROUPS, n_init=10, random_state=10).fit_predict(features)
    return kernel, features, groups


def idea() -> Figure:
    """Five panels from left to right; the kernel, the groups and the silhouette are those of a real network."""
    kernel, features, groups = measured()
    order = np.argsort(groups, kind="stable")
    figure, axes = plt.subplots(1, 5, figsize=(10.5, 2.5), layout="constrained")
    _network(axes[0])
    limit = float(np.quantile(np.abs(kernel), 0.98))
    axes[1].imshow(kernel[order][:, order], cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    flat = features - features.mean(axis=0)
    across = flat @ np.linalg.svd(flat, full_matrices=False)[2][:2].T
    axes[2].scatter(*across.T, c=[CYCLE[group % len(CYCLE)] for group in groups], s=7, linewidths=0)
    apart = silhouette_samples(features, groups)
    ranked = np.lexsort((apart, groups))
    axes[3].barh(np.arange(len(apart)), apart[ranked], height=1, color=[CYCLE[groups[i] % len(CYCLE)] for i in ranked])
    axes[3].axvline(float(apart.mean()), color=GREY, linestyle="--", linewidth=1)
    axes[3].set_xlabel(f"mean {apart.mean():.2f}")
    steps = np.linspace(0, 1, 100)
    for end, colour in ((0.08, CYCLE[0]), (0.25, CYCLE[1]), (0.16, CYCLE[2])):
        axes[4].plot(steps, end + (1 - end) * np.exp(-5 * steps), color=colour)
    axes[4].text(0.62, 0.62, "?", fontsize=30, ha="center", va="center", transform=axes[4].transAxes)
    axes[4].set(xlabel="training", ylabel="loss")
    for axis, title in zip(axes, PANELS, strict=True):
        axis.set_title(title)
        axis.set(xticks=[], yticks=[])
    return figure


def _network(axis: Axes) -> None:
    """Stimuli and tasks below, hidden units, responses."""
    layers = ((0.1, 6), (0.5, 9), (0.9, 5))
    places = [[(x, y) for x in np.linspace(0.08, 0.92, count)] for y, count in layers]
    for low, high in pairwise(places):
        for a in low:
            for b in high:
                axis.plot(*zip(a, b, strict=True), color=GREY, linewidth=0.3, zorder=0)
    for row in places:
        for place in row:
            axis.add_patch(Circle(place, 0.035, facecolor="white", edgecolor="black", linewidth=0.8))
    for (y, _), name in zip(layers, ("stimuli and tasks", "hidden units", "responses"), strict=True):
        axis.text(0.5, y + 0.1, name, ha="center", va="center", fontsize=7, bbox={"color": "white", "pad": 1})
    axis.set(xlim=(0, 1), ylim=(0, 1.1), aspect="equal")
    axis.axis("off")
