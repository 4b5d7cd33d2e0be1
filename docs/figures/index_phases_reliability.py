import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import beta

# Mean probability said, share that was true, number of phases:
# python benchmarks/indexing.py --kind crystal
TABLE = np.array([
    (0.001, 0.001, 1393), (0.145, 0.316, 19), (0.248, 0.000, 14), (0.357, 0.143, 7),
    (0.445, 0.600, 10), (0.553, 0.571, 7), (0.753, 1.000, 6), (0.848, 0.857, 7),
    (0.997, 0.989, 91),
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
