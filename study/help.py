"""What the commands of `study.__main__` say of themselves with --help."""

from __future__ import annotations

DESCRIPTION = """\
Can we predict, before training, what representations a network will learn and how well it will do?
A study trains pairs of networks, measures the t = 0 eNTK of each, and correlates the two with honest intervals."""

EXAMPLES = """\
examples:
  study list                                                the sweeps that there are
  study run quick                                           a look at everything, under a minute
  study run paper                                           the source study: 62 networks, and linear ones
  study run linear                                          the linear validation, with its figures
  study run paper --set seeds=40 --out results/paper40
  study analyse results/paper                               all tables again, from the rows
  study scan scan_quick                                     search for good settings, confirm them on other seeds
  study report results/paper                                report.html and every figure of the paper
  study export results/paper --cell large --seed 3 --to large-3.npz
  study attribute results/paper --cell standard_lr large_lr --seed 3 --to attribution-3
  study dashboard results/paper                             a W&B workspace to look at it in; --publish puts it there
  study chaos --kills 30                                    kill a study at random, resume, compare: nothing lost
  study bench train                                         ours against nn.Module and torch.func.vmap

exit status: 0 done; 1 failed, stopped by Ctrl-C, or not all is done; 2 refused before any work, with one line that says why;
141 nobody read the output any more (| head); 143 or 129 ended by SIGTERM or SIGHUP.
Whatever goes wrong is one line; where that is not enough, it names a file with the traceback, which --debug prints."""

RUN = """\
Train and measure every network of a sweep under Ray Tune, many seeds per trial, then print the answer.
Ctrl-C, SIGTERM or SIGHUP (exit status 1, 143, 129) stop it; the same command goes on where it stopped. Finished networks
are never computed again. DIR must be new, empty, or this study's; what else is in a folder is never touched.
Where a sweep has linear networks run along (`linear: linear.yaml`), they come first and go to DIR/linear.
A folder belongs to one configuration, however it is spelled: another one is refused. compute.* and wandb.* may change freely.
More seeds (--set seeds=20) train those that are new, and the analysis says so; fewer are a view of the folder."""

ANALYSE = """\
Rebuild analysis.json, analysis.csv, analysis.md and the printed answer from DIR/rows/**/*.parquet. Works on any folder with
such rows: they need cell, seed, silhouette_<estimator> and loss_<phase>_test or loss_<phase>_unseen. Where they have
predictor_<phase>_<name>, every predictor is ranked against a little training (ranking.csv). Of linear networks that ran
along, DIR/linear is analysed too. What is compared in rows made elsewhere, and what is expected, --contrasts FILE says:

contrasts:
  size: {first: small, second: large, expect: {silhouette: higher, final: lower}}
primary: {contrast: size, phase: final}"""

REPORT = """\
Write DIR/report.html (one file, no network, for desktop, phone and print) and DIR/figures/*.svg, *.png: everything that
the rows of the folder allow. Figures and tables of the linear networks that ran along with a study (`linear: linear.yaml`
in its sweep) are on its page; a linear study by itself gets a page too. A figure that cannot be drawn is listed with the
reason. Rows made elsewhere will do; what they do not say is given as unknown."""

EXPORT = """\
Train one network of a study again and write, as float arrays:
  base_W1 ...             the random draw before scaling: W1 (stimulus, hidden), W2 (task, hidden),
                          V1 (hidden, response), V2 (task, response)
  initial_W1 ...          the same scaled: where training starts (float64; a float32 run starts from them rounded)
  final_<phase>_W1 ...    the weights at the end of each phase
  <phase>_train_inputs, <phase>_train_targets, <phase>_test_inputs, <phase>_test_targets
  bias, loss_<phase>_train, loss_<phase>_test, loss_<phase>_unseen, silhouette_<estimator>"""

ATTRIBUTE = """\
Train networks of a study again (float64, full-batch gradient descent) and split every change of every test output among
the training patterns by the path-integrated eNTK, phase by phase. Prints and writes into FOLDER:
  <cell>-<seed>.npz            <phase>_kernel (test pattern, output, training pattern): sums over training patterns to
                               <phase>_change; distinct patterns and their counts; group sums
  attribution-<phase>.svg/png  outputs by training feature, by training task, test task by training task
  attribution.md, .json        the tables, and the completeness error of every network and phase
DIR is a study's folder; a sweep file does too, nothing needs to have been run. The paper's LR-tuned pair takes 8 minutes
of CPU time, half of it on each of two cores; --thin makes it faster."""

POWER = """\
Precision: how many pairs the 95 % interval of a centred correlation needs to be as narrow as --width, and how wide it is
with some numbers of pairs. It says nothing of power, the chance that such an interval excludes zero. From Fisher's z; the
study's intervals of normal pairs are as wide (checked by simulation in the tests)."""

CALIBRATE = """\
Simulate studies whose truth is known and draw two pictures: r20 and the centred correlation as the conditions grow
apart, and how often 95 % intervals hold the truth. A few minutes; fewer --repetitions are faster and rougher."""

BENCH = """\
train       CPU time of a gradient step: nn.Module + autograd + SGD, torch.func.vmap, ours at 1, 8 and 64 networks
entk        the eNTK in closed form against torch.func on an nn.Module
silhouette  the t = 0 measurement of a network against its LR-tuned training
flow        both integrators on the same seeds: losses, correlations, time (about 5 minutes)
scale       a step as hidden units, patterns and blocks grow, a model of its cost, one worker against two
fused       a gradient step by torch operations, torch.compile and numba: would a fused kernel pay?
scan        does a guided scan find the front of a grid with half of its cells? (4 minutes of CPU)
predictors  cost of every predictor at t = 0 in gradient steps, and the regressions against a dense solution
response    linear response: a reference and its answers for 200 seeds, against training them
sweep       what a study of 64 cells costs beyond its training; 10 to 10,000 simulated trials, memory of every process;
            what a million networks would take and which limit comes first (25 minutes)
path        path-integrated eNTK: completeness and cost of each rule, and what thinning costs (6 minutes of CPU)
analysis    a full analysis of 400 pairs, 10 predictors, 2 phases, 10,000 resamples"""
