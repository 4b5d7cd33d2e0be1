import hyperspy.api as hs
import matplotlib.pyplot as plt

from hyperspy_t2t.data import scene

image = scene("quantum_well", shape=(512, 512), dose=500.0, seed=1)
strain = (
    image.segment()
    .find_peaks()
    .index_phases(["Ge"])
    .gpa(reference=hs.roi.RectangularROI(0, 7.2, 10, 10))
)
labels = strain.reference_of
model = strain.to_atoms(4, {k: {"Si": 0.3, "Ge": 0.7} for k in labels})

figure = plt.figure(figsize=(11, 4.2), layout="constrained")
left, middle = figure.add_subplot(131), figure.add_subplot(132)
right = figure.add_subplot(133, projection="3d")
model.plot(color_by="region", ax=left, s=1)
left.set_title('plot(color_by="region")')
model.plot(color_by="displacement", ax=middle, s=1)
middle.set_title('plot(color_by="displacement")')
model.select(x=(30, 50), y=(55, 75)).plot_3d(ax=right)
right.set_xticks([3, 4, 5])
right.get_legend().set_loc("upper left")
right.set_title("select(...).plot_3d()")
