"""Numbers that many exercises need, in nats."""

import numpy as np

LOG_2, LOG_2_PI = np.log(2.0), np.log(2 * np.pi)
N_0 = -0.5 * LOG_2_PI  # log N(0; 0, 1)
H_NORMAL = 0.5 * (LOG_2_PI + 1)  # the entropy of N(0, 1)
