"""What all parts share: files, devices, processes."""
