"""Let `python -m benchmarks` do what `python benchmarks/compare.py` does, and `... tables` compare tabular methods."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

if sys.argv[1:2] == ["tables"]:
    from tables.command import main as compare_tables

    compare_tables(sys.argv[2:])
else:
    from compare import main

    main()
