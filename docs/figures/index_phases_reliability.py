import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import beta

# Mean probability said, share that was true, number of phases:
# python benchmarks/indexing.py --kind crystal
TABLE = np.array([
    (0.001, 0.001, 1394), (0.148, 0.316, 19), (0.242, 0.083, 12), (0.359, 0.000, 6),
    (0.435, 0.538, 13), (0.568, 0.571, 7), (0.600, 1.000, 1), (0.763, 1.000, 5),
    (0.858, 0.750, 4), (0.995, 0.989, 93),
])  # fmt: skip
said, true, number = TABLE.T
right = np.round(true * number)
low, high = beta.ppf([[0.16], [0.84]], right + 0.5, number - right + 0.5)

figure, ax = plt.subplots(figsize=(5, 4.4), layout="constrained")
ax.plot([0, 1], [0, 1], color="0.7", linewidth=1)
ax.vlines(said, low, high, color="C0")
ax.plot(said, true, "o", color="C0")
for x, y, n in zip(said, true, number, strict=True):
    ax.annotate(f"{n:.0f}", (x, y), (6, -3), textcoords="offset points", size=8)
ax.set(
    xlabel="probability said", ylabel="share that was true",
    xlim=(-0.03, 1.08), ylim=(-0.03, 1.05),
)  # fmt: skip
