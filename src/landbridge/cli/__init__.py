"""The command line. The clock is imported first, so that a budget counts from the start of the process."""

from landbridge.core.clock import STARTED as STARTED
