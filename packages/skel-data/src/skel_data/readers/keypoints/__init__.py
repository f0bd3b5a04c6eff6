"""Readers of keypoint files of pose estimators."""
