"""What the pages show: one module a page, with its figure, its slider and its exercises; beside them what all share.

Shared: `explorer` (sliders), `picture` (what figures are drawn with), `plots` (figures of several pages), `exercise`.
"""
