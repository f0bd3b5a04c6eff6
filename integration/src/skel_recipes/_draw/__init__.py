"""Sides of joints, for drawing."""
