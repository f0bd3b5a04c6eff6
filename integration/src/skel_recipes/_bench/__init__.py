"""What `skel bench` measures: one module for each group of parts.

Each has ``measure(seconds, device, folder)``, which returns figures by name, in units per second unless
the name says otherwise.
"""
