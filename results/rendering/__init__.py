"""Tables as text, Markdown, CSV and LaTeX."""

from .csv import csv
from .forms import FORMS, render
from .latex import latex
from .markdown import markdown
from .text import show, show_all

__all__ = ["FORMS", "csv", "latex", "markdown", "render", "show", "show_all"]
