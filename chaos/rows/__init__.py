"""The rows of the fault matrix (F15 and F21 are not in the suite)."""

from chaos.rows import (
    f01_relay_killed,
    f02_peers_killed,
    f03_store_killed,
    f06_store_cut_off,
    f07_feedback_cut_off,
    f08_signer_cut_off,
    f13_rolling_restart,
    f17_relay_stopped,
    f18_submitted_again,
)

ROWS = (
    f01_relay_killed.ROW,
    f02_peers_killed.ROW,
    f03_store_killed.ROW,
    f06_store_cut_off.ROW,
    f07_feedback_cut_off.ROW,
    f08_signer_cut_off.ROW,
    f13_rolling_restart.ROW,
    f17_relay_stopped.ROW,
    f18_submitted_again.ROW,
)
