"""A clip in pictures: as stick figures in HTML, GIF and PNG.

Coordinates of pictures are x to the right and y down; a joint that is missing is NaN.
"""
