"""Entry point of `python -m eval.bench`."""

import sys

from eval.bench.run import main
from eval.serving import stop_on_sigterm

stop_on_sigterm()
sys.exit(main())
