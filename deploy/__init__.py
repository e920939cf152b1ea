"""What a cluster gets: manifests, and the program that makes one file of them. No part of the package."""
