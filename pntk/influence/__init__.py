"""Linear response: how a network's final loss depends on its initial hidden units, one by one.

A wide network's errors hardly depend on which units it has drawn; a narrow network differs from it by its own draw, and to
first order each unit adds its influence on the final loss. Equations (1) to (8) stand in `pntk.influence.units` and
`pntk.influence.reference`, in the source's order: Mei, Montanari and Nguyen 2018 (arXiv 1804.06561) for the limit, Sirignano
and Spiliopoulos (1808.09372) for its fluctuations.
"""
