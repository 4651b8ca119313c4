r"""
2. Why a determinant, and why a triangle?
=========================================

In lesson 1 a map stretched the line, and the log-density changed by :math:`\log |dz/dx|`. Data
usually have more than one column. What takes the place of the derivative there, and what does it
cost? By the end of this lesson you can derive

.. math::

    \log p(x) = \log N(z; 0, I) + \log \left| \det \frac{\partial z}{\partial x} \right| ,
    \qquad x = f(z), \quad z \sim N(0, I),

where :math:`N(z; 0, I)` is the density of :math:`D` *independent* columns of noise, the product of
all :math:`N(z_i; 0, 1)`. You will also see why the layers of a flow have one peculiar shape, in
which no coordinate depends on those after it.

You need: lesson 1, partial derivatives, and what a matrix does to a vector.
"""

# %%
# Lengths become areas
# --------------------
#
# In the plane a density is mass per area. Take a small square of side :math:`h` at :math:`z`: it
# holds the mass :math:`p(z)\, h^2`. A map :math:`x = f(z)` turns the square into some other shape,
# of area :math:`A`, which holds the same mass:
#
# .. math:: p(x)\, A = p(z)\, h^2 .
#
# So only one number is needed: the factor :math:`A / h^2` by which the map multiplies areas near
# :math:`z`. This factor is called :math:`\left| \det \partial x / \partial z \right|`, and its
# logarithm the log-det.
#
# Predict
# -------
#
# A *shear* lifts every point by three times its first coordinate. Squares become long and thin.
# What happens to their area? Write down the log-det of the shear before you go on. Put your number
# in the place of ``None``.

# %%
# **2a.** The shear x1 = z1, x2 = z2 + 3 z1. What is its log \|det dx/dz\|?

from flowcore import teaching

guess = None
print(teaching.check("2a", guess))

# %%
# Now look.

import matplotlib.pyplot as plt
import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import interpn
from scipy.special import ndtri

import flowcore as fc

shear = fc.LULinear.from_lu([[1.0, 0.0], [3.0, 1.0]])  # x = A z with this matrix A
fig, axes = plt.subplots(1, 2, figsize=(6.5, 3.4), layout="constrained")
teaching.grid(shear, cells=4, reach=1.0, ax=axes, xlim=(-4.2, 4.2), ylim=(-4.2, 4.2))
axes[0].set_title("z")
axes[1].set_title("x, sheared")

# %%
# The shear keeps the width of every cell and the length of its left side; it only lifts the right
# side. So the area, the width times the length of the left side, stays the same.
#
# A small square becomes a parallelogram
# --------------------------------------
#
# Near one point every smooth map is almost linear. With the *Jacobian*
# :math:`J_{ij} = \partial x_i / \partial z_j`,
#
# .. math:: f(z + u) \approx f(z) + J u .
#
# The sides of the square are :math:`u = (h, 0)` and :math:`u = (0, h)`. The linear map :math:`J`
# turns them into :math:`h` times its first and its second column. Below are a linear map and a bent
# one. The black outline is the image of one cell, and the arrows are the columns of :math:`J` at
# its corner.

linear = fc.LULinear.from_lu([[1.2, 0.5], [0.4, 0.9]])  # A = L U, both packed into one matrix
bent = fc.flows.maf(2, layers=2, hidden=[16], standardize=False).bijector
bent = fc.testing.randomize(bent, scale=0.8, rng=13)  # some bent map; lesson 4 builds such

corner = np.array([-1.0, 0.0])
t = np.linspace(0, 1, 50)
square = np.concatenate([[t, 0 * t], [0 * t + 1, t], [1 - t, 0 * t + 1], [0 * t, 1 - t]], axis=1).T

fig, axes = plt.subplots(1, 3, figsize=(8.5, 3.2), layout="constrained")
for f, place in ((linear, [0, 1]), (bent, [0, 2])):
    teaching.grid(f, cells=4, reach=2.0, ax=axes[place])
for ax, f, name in zip(
    axes, (fc.Permute([0, 1]), linear, bent), ("z", "linear", "bent"), strict=True
):
    J, start = fc.reference.numerical_jacobian(f.forward, corner), f.forward(corner)
    ax.plot(*f.forward(corner + square).T, color="black", lw=1)
    for column in J.T:
        ax.annotate("", start + column, start, arrowprops={"arrowstyle": "-|>", "lw": 2})
    ax.set_title(name)

# %%
# Under the linear map the arrows are the sides. Under the bent one the arrows differ a little from
# the sides, and the smaller the cell, the less they differ. So, divided by :math:`h^2`, the area of
# the parallelogram is what we want: the limit of :math:`A / h^2` for small squares.


def area(outline):
    """The area inside a closed line of points (n, 2): the shoelace formula."""
    x, y = outline.T
    return 0.5 * abs(x @ np.roll(y, 1) - y @ np.roll(x, 1))


log_det = bent.forward_log_det(corner)
print("side h   A / h^2    |det dx/dz|")
for h in (1.0, 0.3, 0.1, 0.01):
    factor = area(bent.forward(corner + h * square)) / area(h * square)
    print(f"{h:6} {factor:9.4f} {np.exp(log_det):14.4f}")
assert np.isclose(factor, np.exp(log_det), rtol=0.01)

# %%
# How large is it?
# ----------------
#
# Let the columns be :math:`(a, c)` and :math:`(b, d)`. All four numbers are positive, and :math:`ad
# > bc`, so the second column lies to the left of the first, as in the picture. Put the
# parallelogram into a box of width :math:`a + b` and height :math:`c + d`, and subtract the rest of
# the box:

BLUE = "#0072B2"
a, b, c, d = 3.0, 1.2, 1.0, 2.2
fig, ax = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
ax.fill([0, a + b, a + b, 0], [0, 0, c + d, c + d], color="0.9")
ax.fill([0, a, a + b, b], [0, c, c + d, d], color=BLUE, alpha=0.5)
ax.plot([a, a, a + b], [0, c, c], [b, b, 0], [c + d, d, d], color="white", lw=2)
for place, text in {
    (a + b / 2, c / 2): "$bc$",
    (b / 2, d + c / 2): "$bc$",
    (a * 2 / 3, c / 3): "$ac/2$",
    (b + a / 3, d + c * 2 / 3): "$ac/2$",
    (b / 3, d * 2 / 3): "$bd/2$",
    (a + b * 2 / 3, c + d / 3): "$bd/2$",
    ((a + b) / 2, (c + d) / 2): "$ad - bc$",
    (a / 2, -0.2): "$a$",
    (a + b / 2, -0.2): "$b$",
    (a + b + 0.2, c / 2): "$c$",
    (a + b + 0.2, c + d / 2): "$d$",
}.items():
    ax.text(*place, text, ha="center", va="center")
ax.annotate("$(a, c)$", (a, c), (a - 0.1, c + 0.1), ha="right", va="bottom")
ax.annotate("$(b, d)$", (b, d), (b + 0.1, d - 0.1), ha="left", va="top")
ax.set_aspect("equal")
ax.set_axis_off()

# %%
# .. math::
#
#     (a + b)(c + d) - 2 bc - ac - bd = ad - bc
#     = \det \begin{pmatrix} a & b \\ c & d \end{pmatrix} .
#
# The determinant is negative where the map turns the cell over, as a mirror does. An area is never
# negative, hence the bars.
#
# In :math:`D` dimensions the volume of a cell whose edges are the columns of :math:`J` is
# :math:`|\det J|`, too. Gaussian elimination shows why. It writes an invertible :math:`J` as a
# product of shears, swaps of two coordinates, and one diagonal matrix. What does one such factor
# :math:`E` do, if it is applied after any matrix :math:`B`?
#
# * A shear adds a multiple of one row of :math:`B` to another. A determinant is linear in each row,
#   and 0 if two rows are equal, so :math:`\det(E B) = \det B`. No volume changes.
# * A swap exchanges two rows: :math:`\det(E B) = -\det B`. No volume changes.
# * A diagonal matrix multiplies the rows by its entries: :math:`\det(E B) = d_1 \cdots d_D \det B`.
#   Volumes are multiplied by :math:`|d_1 \cdots d_D|`.
#
# With :math:`B = I` these are the determinants of the factors themselves: 1, -1 and :math:`d_1
# \cdots d_D`. So :math:`\det(E B) = \det E \det B` for each of the three. Factor by factor, this
# rule follows for every product :math:`A` of such factors:
#
# .. math:: \det(A B) = \det A \, \det B .
#
# Volumes are multiplied by the same determinants, without their signs. (``LULinear`` stores such
# factors, two triangles :math:`L` and :math:`U`. So its log-det is a sum over one diagonal, without
# elimination.)
#
# The inverse map has the Jacobian :math:`\partial z / \partial x = J^{-1}`, with :math:`\det J^{-1}
# \det J = \det I = 1`. So the inverse undoes the factor. Hence :math:`p(x) = p(z) / |\det J| =
# p(z)\, |\det \partial z / \partial x|`. Take the logarithm, and the formula at the top is derived.
#
# Check flowcore's log-det against brute force: a Jacobian computed by moving each coordinate a
# little up and down.

x = np.array([0.8, -0.6])
z, log_det = bent.inverse_and_log_det(x)
J = fc.reference.numerical_jacobian(bent.inverse, x)
print(f"log |det dz/dx|: {log_det:.6f}, by brute force {fc.reference.log_abs_det(J):.6f}")
assert np.isclose(log_det, fc.reference.log_abs_det(J), atol=1e-6)

# %%
# **2b.** Compute one by hand. x = A z with A = [[2, 1], [1, 3]]. What is log \|det dx/dz\|?

guess = None
print(teaching.check("2b", guess))

# %%
# What a determinant costs
# ------------------------
#
# For any map of :math:`D` coordinates, two things are expensive:
#
# * The Jacobian :math:`J` has :math:`D^2` entries. Backward differentiation gives one row of
#   :math:`J` per pass through the map, so it takes :math:`D` passes. Moving each coordinate up and
#   down takes :math:`2 D`.
# * The determinant needs Gaussian elimination. It clears :math:`D` columns, and for each of them
#   changes up to :math:`D` rows of :math:`D` entries: :math:`D^3 / 3` multiplications in all.
#
# At :math:`D = 1000` these are a thousand passes and 300 million multiplications, for one row of
# data, in every step of learning. So a flow needs few coordinates, or a Jacobian whose
# determinant is cheap.
#
# A triangle
# ----------
#
# Suppose that no coordinate of :math:`x` depends on a later one of :math:`z`:
#
# .. math:: x_1 = f_1(z_1), \quad x_2 = f_2(z_1, z_2), \quad x_3 = f_3(z_1, z_2, z_3), \ \ldots
#
# All entries of :math:`J` to the right of the diagonal are 0. Expand along the first row, which has
# one entry left, then along the first row of what remains, and so on:
#
# .. math::
#
#     \det \begin{pmatrix} J_{11} & 0 & 0 \\ J_{21} & J_{22} & 0 \\ J_{31} & J_{32} & J_{33}
#     \end{pmatrix}
#     = J_{11} \det \begin{pmatrix} J_{22} & 0 \\ J_{32} & J_{33} \end{pmatrix}
#     = J_{11} J_{22} J_{33} , \qquad
#     \log |\det J| = \sum_i \log |J_{ii}| .
#
# The entries below the diagonal are a shear: they tilt cells and leave their volume alone. These
# entries may be anything, and nobody has to compute them. Only :math:`D` logarithms are left.
#
# **2c.** Compute a whole density by hand. z ~ N(0, I) in the plane; x1 = exp(0.5) z1 and x2 = x1 +
# exp(-1) z2. What is log p(x) at x = (0, 0)?

guess = None
print(teaching.check("2c", guess))

# %%
# **2d.** Now take any triangle, in the direction that a density needs. x = L z with a lower
# triangle L (D, D). Write a function log\_det\_inverse(L) for log \|det dz/dx\|.


def log_det_inverse(L):
    """log |det dz/dx| of x = L z."""
    return ...


print(teaching.check("2d", log_det_inverse))

# %%
# A layer of a flow
# -----------------
#
# A *masked autoregressive flow* (MAF) is such a triangle. Its networks, which lesson 4 builds, give
# a shift :math:`\mu_i` and a log-scale :math:`\alpha_i` that depend on the coordinates before
# :math:`x_i` only, written :math:`x_{<i}`:
#
# .. math:: x_i = \mu_i(x_{<i}) + e^{\alpha_i(x_{<i})} z_i , \qquad
#           z_i = (x_i - \mu_i) e^{-\alpha_i} , \qquad
#           \frac{\partial z_i}{\partial x_i} = e^{-\alpha_i} .
#
# (:math:`x_{<i}` is computed from :math:`z_{<i}`, so no :math:`x_i` depends on a later :math:`z`.)
#
# The left picture shows the Jacobian of one such layer at one point. The right picture shows the
# Jacobian of two layers in opposite orders.


def layer(order, rng):
    """A MAF of six coordinates with random weights."""
    made = fc.MADE(6, hidden=[32, 32], activation="tanh", order=order)
    return fc.testing.randomize(fc.MaskedAutoregressiveFlow(made), 2.0, rng)


one = layer("left-to-right", rng=1)
two = fc.Chain([one, layer("right-to-left", rng=2)])
x = np.random.default_rng(0).standard_normal(6)

fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.4), layout="compressed")
for ax, f, name in zip(axes, (one, two), ("one layer", "two layers, two orders"), strict=True):
    teaching.jacobian(f, x, ax=ax)
    ax.set_title(f"{name}\n{ax.get_title()}", fontsize="medium")

J = fc.reference.numerical_jacobian(one.inverse, x)
print(f"the diagonal {np.log(np.diag(J)).sum():.4f}, flowcore {one.inverse_log_det(x):.4f}")
assert np.abs(np.triu(J, 1)).max() < 1e-8
assert np.isclose(np.log(np.diag(J)).sum(), one.inverse_log_det(x), atol=1e-5)
J = fc.reference.numerical_jacobian(two.inverse, x)
print(f"the dense one: LU {fc.reference.log_abs_det(J):.4f}, flowcore {two.inverse_log_det(x):.4f}")
assert np.isclose(fc.reference.log_abs_det(J), two.inverse_log_det(x), atol=1e-5)

# %%
# In the left Jacobian the grey cells are exactly 0, whatever the weights. Its log-det is
# :math:`-\sum_i \alpha_i`, a by-product of the pass that gives :math:`z`. The right Jacobian has no
# zeros. Still no elimination was needed: because :math:`\det(A B) = \det A \det B`, the log-dets of
# the two layers are added. Only the layers must be triangles, not the flow.
#
# Is a triangle enough?
# ---------------------
#
# (Lessons 3 to 5 need only the chain rule of this section. You may read the rest later.)
#
# A triangle sounds like a poor sort of map. But for *every* density, and in any order of the
# coordinates, the chain rule of probability holds:
#
# .. math:: p(x) = p(x_1)\, p(x_2 \mid x_1) \cdots p(x_D \mid x_{<D}) = \prod_i p(x_i \mid x_{<i}) .
#
# Here :math:`p(x_2 \mid x_1)`, a *conditional*, is the density of :math:`x_2` among the draws that
# have this :math:`x_1`: a slice of the density, divided by the area of the slice, which is
# :math:`p(x_1)`.
#
# Each factor is the density of one number. Lesson 1 shows how to make such a density: by an
# increasing map :math:`x_i = t(z_i)`, which may depend on :math:`x_{<i}`. All these maps together
# form a triangle. The change of variables is then the chain rule, term by term:
#
# .. math:: \log N(z_i; 0, 1) + \log \left| \frac{\partial z_i}{\partial x_i} \right|
#           = \log p(x_i \mid x_{<i}) .
#
# So a triangle can make every density, if :math:`t` may be any increasing function. In a MAF,
# :math:`t` is :math:`\mu_i + e^{\alpha_i} z_i`. This map shifts and scales a Gaussian, so each
# conditional of a MAF *is* a Gaussian. Some densities do have Gaussian conditionals, such as the
# *banana*, :math:`x_1 = 1.5 z_1` and :math:`x_2 = \mu_2(x_1) + z_2`:

banana, moons = fc.targets.banana(b=0.5, sd=1.5), fc.targets.two_moons(noise=0.1)
x = banana.sample(5, rng=0)
mu = np.stack([0 * x[:, 0], -0.5 * (x[:, 0] ** 2 - 1.5**2)], axis=-1)
alpha = np.array([np.log(1.5), 0.0])
z = (x - mu) * np.exp(-alpha)
log_p = -0.5 * (z**2).sum(axis=-1) - np.log(2 * np.pi) - alpha.sum()
print("MAF by hand  ", log_p.round(4))
print("the density  ", banana.log_prob(x).round(4))
assert np.allclose(log_p, banana.log_prob(x))

# %%
# The two moons have other conditionals: at :math:`x_1 = 1/2`, for example, :math:`x_2` is on the
# upper moon or on the lower one, and almost never in between. Which map makes such a conditional?
# Let :math:`F_i` be the *cumulative distribution* of :math:`x_i` given :math:`x_{<i}`: the mass to
# the left of :math:`x_i`. Its slope is the density, so by lesson 1 the density of :math:`u =
# F_i(x_i)` is :math:`p / p = 1`, and :math:`u` is uniform on (0, 1). In the same way :math:`\Phi`,
# the cumulative distribution of N(0, 1), turns a normal number into a uniform one, and
# :math:`\Phi^{-1}` goes back. So the triangle for any density, *Rosenblatt's transform*, is
#
# .. math:: z_i = \Phi^{-1}\big( F_i(x_i \mid x_{<i}) \big) .
#
# Where a density is known, sums over a grid give :math:`F_1` and :math:`F_2`. Nothing is learned
# here:

a, b = np.linspace(-1.5, 2.5, 401), np.linspace(-1.0, 1.5, 501)
p = moons.prob(np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1))  # p[i, j] at (a_i, b_j)
F_1 = cumulative_trapezoid(p.sum(axis=1), initial=0)
F_2 = cumulative_trapezoid(p, axis=1, initial=0)
F_1, F_2 = F_1 / F_1[-1], F_2 / F_2[:, -1:]

x = moons.sample(4000, rng=0)
z = ndtri(np.stack([np.interp(x[:, 0], a, F_1), interpn((a, b), F_2, x)], axis=-1))

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
conditional = p[200] / (p[200].sum() * (b[1] - b[0]))  # a[200] is 1/2
mean = (conditional * b).sum() * (b[1] - b[0])
sd = np.sqrt((conditional * (b - mean) ** 2).sum() * (b[1] - b[0]))
gaussian = np.exp(-0.5 * ((b - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))
axes[0].plot(b, conditional, color=BLUE, lw=2, label="moons")
axes[0].plot(b, gaussian, color="#D55E00", lw=2, ls="--", label="best Gaussian")
axes[0].set(xlabel="$x_2$", ylabel="density", title="$p(x_2 \\mid x_1 = 1/2)$")
axes[0].set_ylim(0, 2.4)
axes[0].legend(loc="upper left")
fc.plots.stages([("z", z), ("x", x)], ax=axes[1:])
axes[1].set_title("z, by one triangle")
axes[2].set(title="x, two moons", xlim=(-1.6, 2.6), ylim=(-1.85, 2.35))

print("mean of z", z.mean(axis=0).round(2), "and its covariance", np.cov(z.T).round(2).tolist())
assert np.abs(z.mean(axis=0)).max() < 0.1 and np.abs(np.cov(z.T) - np.eye(2)).max() < 0.1

# %%
# The colours are the four quarters of the noise. The noise shows no trace of the moons: one
# triangle has straightened them. The :math:`t` of this triangle is steep in the gap and flat on the
# moons. A straight line cannot be both steep and flat. The best conditional of one affine MAF is
# the dashed bell, with the same mean and spread. There are two ways out, and flows use both:
# several layers in different orders (lesson 7), and bent maps :math:`t`, the splines of lesson 1
# (lesson 8).
#
# On the Flow Bench
# -----------------
#
# `Task 2 <../../live/index.html#task=2>`_ asks the same question in your browser, where a flow
# trains while you look. There, one layer tilts the grid until it fits, and one entry of the
# Jacobian stays 0.
#
# To put a map of your own into a flow, see `Classes of your own <../how_to/your_own.html>`_.
#
# What you know now
# -----------------
#
# * A small cell becomes a parallelogram with the columns of :math:`J` as sides. Its area is
#   :math:`|\det J|` times that of the cell, so :math:`\log p(x) = \log p(z) + \log |\det \partial z
#   / \partial x|`.
# * A shear costs nothing. For a triangle only the diagonal counts: :math:`D` logarithms, while a
#   general map needs :math:`D` passes and :math:`D^3` operations.
# * By the chain rule a triangle can make every density. An affine triangle has Gaussian
#   conditionals.
#
# Where this comes from
# ---------------------
#
# Rosenblatt (1952) turned the columns of a known density into independent uniform ones by one
# triangle, to test whether a table follows that density. A flow has to learn such a map. The review
# by Papamakarios and others (2021) goes from here to most of the flows of today.
#
# * Rosenblatt: `Remarks on a Multivariate Transformation
#   <https://doi.org/10.1214/aoms/1177729394>`__
# * Papamakarios, Nalisnick, Rezende, Mohamed, Lakshminarayanan: `Normalizing Flows for
#   Probabilistic Modeling and Inference <https://arxiv.org/abs/1912.02762>`__
#
# Where do :math:`\mu` and :math:`\alpha` come from? They are learned, as lesson 3 shows.
