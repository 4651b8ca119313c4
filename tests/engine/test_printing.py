"""What `print(flow)` and `print(history)` write, and what a notebook shows."""

import numpy as np

import flowcore as fc


def test_each_kind_of_part_has_one_line_with_its_places_and_parameters():
    flow = fc.flows.glow(4, layers=3, hidden=[8])
    lines = str(flow).split("\n")
    assert lines[0] == f"x (4,): {flow.n_params:,} parameters, float64"
    assert lines[1] == "  z: Normal(4)"
    assert [line.split(":")[0].strip() for line in lines[2:]] == [
        "1, 4, 7", "2, 5, 8", "3, 6, 9", "10",
    ]  # fmt: skip
    counts = [0 if "[" not in line[-30:] else int(line.rsplit("[")[-1].split()[0].replace(",", ""))
              for line in lines[2:]]  # fmt: skip
    assert np.dot([3, 3, 3, 1], counts) == flow.n_params
    assert repr(flow.bijector[-1]) in lines[2]


def test_layers_that_read_a_context_are_shown_without_it():
    net = fc.MLP(7, (3,), hidden=[5])
    flow = fc.flows.iaf(2, context_net=net, layers=2, hidden=[8])
    lines = str(flow).split("\n")
    assert lines[0].startswith("x (2,) given a context (7,): ")
    assert lines[2:4] == ["  context: Standardize(7)", f"  context: {net!r}  [58 parameters]"]
    assert [line.split("(")[0] for line in lines[4:6]] == ["  1: Invert", "  2: Invert"]
    named = flow.with_names(["x", "y"], [*"uvwabcd"])
    assert str(named).startswith("x (2,) of x, y given a context (7,) of u, v, w, a, b, c, d: ")


def test_a_history_has_four_lines_and_a_curve_in_a_notebook():
    X = np.random.default_rng(0).normal(size=(200, 2))
    _, history = fc.fit(fc.flows.maf(2, layers=1, hidden=[8]), X, epochs=3)
    lines = str(history).split("\n")
    assert [line.split()[0] for line in lines] == ["3", "training", "validation", "epochs=3,"]
    assert f"least {min(history.val_nll):.4g}" in lines[2]
    html = history._repr_html_()
    assert html.startswith("<pre>3 epochs in") and "<svg" in html and html.endswith("</svg>\n")
    assert "<svg" not in fc.History()._repr_html_() and str(fc.History()).count("\n") == 0
