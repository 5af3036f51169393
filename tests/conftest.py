"""What all tests share: where the oracle, the tolerances and the recorded vectors are found, and repeatable examples.

Test modules say `import reference`, `import tolerances` and `from golden import Vectors`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis

sys.path.insert(0, str(Path(__file__).parent))

# The recording scripts import Keras and PyTorch, which the tests do without.
collect_ignore_glob = ["golden/record_*.py"]

# No deadline and no random seed: a test depends neither on time nor on luck.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, max_examples=50)
hypothesis.settings.load_profile("repeatable")
