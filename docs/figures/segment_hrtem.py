import drawing
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

import hyperspy_t2t  # noqa: F401, Signal2D gets segment()

# Everything has the same mean. The thickness grows to the right: fringes fade and
# come back reversed, all at the same places.
rng = np.random.default_rng(3)
y, x = np.indices((640, 800), dtype=float)
edge = 20 * np.sin(x / 130)
crystal, vacuum = y > 310 + edge, y < 170 + 0.1 * x
reversing = np.cos(np.pi * (x / 480 + 0.1))
waves = [(1 / 13, 0.004), (0.036, 0.068), (0.041, -0.064)]
fringes = sum(np.cos(2 * np.pi * (gx * x + gy * y)) for gx, gy in waves)
q = np.hypot(np.fft.fftfreq(640)[:, None], np.fft.rfftfreq(800)[None]) * 13
ring = np.abs(np.sin(2.4 * q**2)) * np.exp(-((q / 1.6) ** 4))
speckle = np.fft.irfft2(np.fft.rfft2(rng.normal(size=x.shape)) * ring, x.shape)
speckle *= 0.09 / speckle.std()
contrast = np.where(crystal, 0.2 * reversing * fringes + 0.4 * speckle, speckle)
counts = rng.poisson(60 * np.maximum(1 + np.where(vacuum, 0, contrast), 0))
image = hs.signals.Signal2D(counts.astype(np.float32))
for axis in image.axes_manager.signal_axes:
    axis.scale, axis.units = 0.02, "nm"
found = image.segment()
figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for ax in axes:
    drawing.image(ax, image)
axes[0].set_title("counts")
drawing.outlines(axes[1], found)
axes[1].set_title(f"{found.n_regions} regions")
