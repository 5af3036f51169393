"""`python -m cnn_core` is the command `cnn-core`. Floor 6."""

import sys

from cnn_core.cli import main

sys.exit(main())
