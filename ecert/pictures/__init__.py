"""Pictures for people: the graph as SVG, the supervisors' figures as a page."""

from ecert.pictures.graph import graph_svg
from ecert.pictures.supervision import supervision_html

__all__ = ["graph_svg", "supervision_html"]
