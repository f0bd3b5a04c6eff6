"""Masks: joints, body parts and frames that are hidden."""
