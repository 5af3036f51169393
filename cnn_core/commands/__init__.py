"""The command line `cnn-core`, through the package's public names."""
