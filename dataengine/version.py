"""dfx's version, as it stands in stores and runs."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("dfx")
except PackageNotFoundError:  # run from a source tree that is not installed
    VERSION = "0+source"
