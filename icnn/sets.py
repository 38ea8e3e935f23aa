"""The menu of sets: `minimize(f, constraints=[icnn.sets.Ball(center, radius)])`."""

from icnn.decide.shapes import AbstractSet, Ball, Ellipsoid, Hull, SecondOrderCone, Simplex

__all__ = ["AbstractSet", "Ball", "Ellipsoid", "Hull", "SecondOrderCone", "Simplex"]
