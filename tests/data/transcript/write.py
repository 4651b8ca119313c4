"""Write what the command line prints in each case of `support.transcript`: all, or those named.

python tests/data/transcript/write.py [CASE ...]
"""

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tables.test_transcript import CASES, transcript  # noqa: E402

if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory() as folder:
            (HERE / f"{name}.txt").write_text(transcript(name, Path(folder)), encoding="utf-8")
