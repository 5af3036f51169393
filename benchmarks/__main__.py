"""Let `python benchmarks` and `python -m benchmarks` do what `python benchmarks/compare.py` does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from compare import main

main()
