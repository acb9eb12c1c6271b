"""One grid of cells in every format: Markdown, LaTeX, HTML, CSV."""
