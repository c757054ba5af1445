"""Post-hoc statistics: pairs of networks, correlations, intervals over pairs."""
