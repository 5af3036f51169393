"""`python -m cnn_core` is the command `cnn-core`."""

import sys

from cnn_core.commands.main import main

sys.exit(main())
