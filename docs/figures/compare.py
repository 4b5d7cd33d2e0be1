import matplotlib.pyplot as plt

from hyperspy_t2t.data import scene

image = scene("quantum_well", shape=(512, 512), dose=300.0, seed=1)
model = (
    image.segment()
    .find_peaks()
    .index_phases(["Ge"])
    .gpa()
    .to_atoms(thickness=10, calibration="nominal")
)
figure, axes = plt.subplots(2, 2, figsize=(9.5, 8.5), layout="constrained")
model.compare(image).plot(axes=axes)
