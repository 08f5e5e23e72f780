"""The pages as a web site: sliders that need no kernel, and what Sphinx builds the site from. See `make site`."""
