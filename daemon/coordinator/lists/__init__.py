"""Image lists in a cluster: one ImagePullJob for each image, and what they come to together."""
