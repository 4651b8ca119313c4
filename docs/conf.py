"""How Sphinx builds the site: `python -m sphinx -W --keep-going docs docs/_build/html`.

Nothing is fetched while it builds, and no page loads anything from elsewhere. What is made on the
way (galleries, API pages, pages from files outside of this folder) lands in docs/built/.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from builder import benches, copied, docstrings, notebooks, pages  # noqa: E402

import flowcore  # noqa: E402

project, author = "flowcore", "the flowcore authors"
copyright = f"{author}. Code: MIT licence. Texts and pictures: CC BY 4.0"
version = release = flowcore.__version__

# https://github.com/OWNER/NAME: the Install page clones it, notebooks install flowcore from it, and
# each lesson has a link that opens its notebook in Colab (see CONTRIBUTING.md)
repository = ""

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",
]
# README.md is the list of pages for a code host; index.rst is the site's. live/ is put beside the
# built pages by builder/live.py
exclude_patterns = [
    "_build",
    "README.md",
    "live",
    "paper",
    "templates",
    "built/**/sg_execution_times.rst",
    "built/downloads",
    "built/course/index.rst",  # learn/index.rst is the page of the lessons
]
templates_path = ["templates"]

# Markdown: formulas between dollars, headings that can be linked to, directives between colons
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# `name` in a docstring: a link where there is such a thing, else just code
default_role = "py:obj"
highlight_language = "none"  # of blocks that name no language: formulas, tables
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*")]

# Formulas are read, not operated: without MathJax's menu they are no stops of the Tab key
mathjax3_config = {"options": {"enableMenu": False}}

# One page for everything public; the types stand in the docstrings
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

# The course and the how-tos run while the site is built; a warning in one of them ends it
sphinx_gallery_conf = {
    "examples_dirs": ["../examples/course", "../examples/how_to"],
    "gallery_dirs": ["built/course", "built/how_to"],
    "within_subsection_order": "builder.pages.ByNumber",
    "filename_pattern": r"\.py$",
    "reset_modules": ("matplotlib", "builder.pages.warnings_are_errors"),
    "reset_modules_order": "both",
    "capture_repr": (),  # what is to be seen is printed
    "reference_url": {"flowcore": None},  # names in the code are links to the API pages
    "doc_module": ("flowcore",),
    "backreferences_dir": "built/used_by",
    "default_thumb_file": str(DOCS / "images" / "six_stages.png"),
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,  # a second build has the same pages
    "min_reported_time": 1e9,
    "remove_config_comments": True,
}

html_theme = "pydata_sphinx_theme"
html_title = "flowcore"
html_static_path = ["static"]
html_css_files = ["flowcore.css"]
html_js_files = [(name, {"type": "module"}) for name in ("lessons.js", "accessible.js")]
html_favicon = "static/favicon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the system
html_copy_source = html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "learn/flow_bench", "learn/teaching")}
html_theme_options = {
    "logo": {"text": "flowcore"},
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
}


def add_mask_boxes(app, pagename, templatename, context, doctree):
    """The script of the masks that are clicked, on their page only; after that of the boxes."""
    if pagename == "built/course/lesson_4_made":
        app.add_js_file("mask_box.js", type="module", priority=900)


def setup(app):
    """Pages that are made anew, and what happens to links and docstrings on the way."""
    pages.make(DOCS.parent)
    app.add_config_value("repository", "", "env", [str])
    app.connect("builder-inited", notebooks.replace_those_of_the_gallery, priority=900)
    app.connect("source-read", pages.mend_links)
    app.connect("source-read", pages.fill_minutes)
    app.connect("source-read", pages.fill_address)
    app.connect("source-read", benches.put_into_lessons)
    app.connect("html-page-context", add_mask_boxes)
    app.connect("source-read", notebooks.put_badge)
    app.connect("source-read", copied.refuse)
    app.connect("missing-reference", pages.find_public_name)
    app.connect("autodoc-skip-member", docstrings.skip)
    app.connect("autodoc-process-signature", docstrings.signature)
    app.connect("autodoc-process-docstring", docstrings.process, priority=400)  # before numpydoc
