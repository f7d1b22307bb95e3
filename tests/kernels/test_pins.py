"""Every documented deviation has a test that pins it: the sentences "Elsewhere", cut into claims.

A docstring that says something else than the claims below fails, and so does a rule that says
something and is not here.  The files are those of this folder, or of tests/ where it says so.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path

import pytest

from minitrain import catalogue

HERE = Path(__file__).parent
DEFAULTS = "test_elsewhere::test_defaults_elsewhere"
OUR_DEFAULTS = "test_deviations::test_defaults_that_differ"
TORCH = "test_rules::test_golden"
OPTAX = "test_rules_optax::test_golden"
OPTAX_BLOCKS = "test_sums::test_golden"  # several weight matrices and bias vectors
AUTHORS = "test_rules_official::test_golden"
RESTATED = "test_rules_optax::test_restated"
SCIKIT_LEARN = "test_deviations::test_momentum_of_scikit_learn_keeps_lr_inside"
SCHEDULE_FREE = (
    ("as the authors' code, where train() and eval() switch between y and x,", AUTHORS),
    ("and whose warmup_steps is a schedule here: w_t takes it into account.",
     "test_elsewhere::test_schedule_free_takes_a_warmup_as_a_schedule",
     "test_sums::test_schedule_free_weights_follow_the_schedule"),
)  # fmt: skip

# rule: (claim, a test of it, …), …; the claims make up the whole sentence.
PINS = {
    "momentum": (
        ("lr stands outside the velocity in torch, optax and here;",
         "test_rules::test_live_a_rate_that_changes", "test_elsewhere::test_momentum_elsewhere"),
        ("Keras and scikit-learn keep lr * g inside, which differs where the rate changes.",
         "test_elsewhere::test_momentum_elsewhere", SCIKIT_LEARN),
        ("Dampening starts with the second step, as in torch.",
         TORCH, "test_rules::test_two_steps_by_hand"),
    ),
    "nesterov": (
        ("Keras and scikit-learn keep lr inside v, which differs where the rate changes.",
         "test_elsewhere::test_momentum_elsewhere", SCIKIT_LEARN),
    ),
    "adagrad": (
        ("Keras and optax start h at 0.1", DEFAULTS, OUR_DEFAULTS),
        ("and add eps inside the root;", "test_elsewhere::test_adagrad_elsewhere_has_eps_inside"),
        ("torch, and this, start at 0 and add it outside.", DEFAULTS, TORCH),
    ),
    "rmsprop": (
        ("eps stands outside the root in torch and here,", TORCH),
        ("inside it in Keras and optax;", "test_elsewhere::test_rmsprop_elsewhere_has_eps_inside"),
        ("there lr is inside b, too, which differs where the rate changes.",
         "test_elsewhere::test_momentum_of_rmsprop_elsewhere"),
    ),
    "adam": (
        ("eps is added after the correction in the paper's Algorithm 1, torch, optax and here;",
         TORCH, "test_elsewhere::test_eps_hat_of_keras"),
        ('scikit-learn and Keras add it before ("epsilon hat"), where it weighs 32 times as much '
         "at the first step.", "test_elsewhere::test_eps_hat_of_keras",
         "test_deviations::test_eps_hat_of_scikit_learn_weighs_32_times_as_much_at_first"),
        ("amsgrad takes the largest uncorrected v in torch, Keras and here, the largest corrected "
         "one in optax.", TORCH,
         "test_elsewhere::test_amsgrad_of_keras_is_ours_and_of_optax_corrects_first"),
    ),
    "adamw": (
        ("torch multiplies p by 1 - lr * weight_decay first, a factor that float32 rounds to 1 "
         "below lr * weight_decay = 3e-8;",
         "test_rules::test_live_torch_loses_a_tiny_decay_that_ours_keeps",
         "test_elsewhere::test_the_factor_of_torch_is_one_below_3e_8"),
        ("here decay and step are one rounded update.",
         "test_rules::test_a_tiny_decay_acts_in_float32",
         "test_elsewhere::test_decay_of_adamw_is_the_same_everywhere_in_float64"),
        ("weight_decay is 1e-2 as in torch (1e-4 in optax, 4e-3 in Keras).",
         DEFAULTS, OUR_DEFAULTS),
    ),
    "nadam": (
        ("as in torch;", TORCH),
        ("optax has no schedule of the momentum, Keras that of momentum_decay = 1.",
         "test_elsewhere::test_nadam_elsewhere"),
    ),
    "adabelief": (
        ("optax has the first as eps_root, with the same default.", OPTAX, DEFAULTS),
    ),
    "adabound": (
        ("as the authors' code, not as the paper: eps is added to the uncorrected v, the rate that "
         "is bounded holds the correction of m, and it is not divided by sqrt(t).",
         AUTHORS, "test_sums::test_adabound_restated",
         "test_elsewhere::test_adabound_of_the_paper"),
    ),
    "adadelta": (
        ("the paper has no lr, which is lr = 1;", "test_rules::test_two_steps_by_hand",
         OUR_DEFAULTS),
        ("Keras starts at lr 1e-3 with rho 0.95 and eps 1e-7,", DEFAULTS, OUR_DEFAULTS),
        ("so that its default steps are some two thousand times shorter.",
         "test_elsewhere::test_adadelta_of_keras_makes_steps_two_thousand_times_shorter"),
    ),
    "adamax": (
        ("Keras adds eps to u where it divides;", "test_elsewhere::test_adamax_of_keras"),
        ("torch and optax, as here, to |g|.", TORCH, OPTAX),
    ),
    "adan": (
        ("optax weighs d and v^ with 1 - beta2 where the paper and its code have beta2, a twelfth "
         "at the default, and adds 1e-8 inside the root too.",
         "test_elsewhere::test_adan_of_optax", DEFAULTS, RESTATED),
        ("The paper's code decays by p / (1 + lr * weight_decay) after the step.",
         "test_deviations::test_adan_decays_with_the_step_and_its_code_after_it"),
    ),
    "ademamix": (
        ("alpha is 5 in optax and here, 2 in the paper's code, 5 to 10 in the paper.",
         DEFAULTS, OUR_DEFAULTS),
    ),
    "adopt": (
        ("pytorch_optimizer's limit is t^(1/4), a step ahead; the first code of the authors had no "
         "limit.", "test_elsewhere::test_adopt_of_pytorch_optimizer_clips_a_step_ahead"),
        ("Decoupled weight decay acts at the first step too, where their present code has none.",
         "test_deviations::test_adopt_decays_at_its_first_step"),
    ),
    "asgd": (
        ("as in torch, where a change of lr acts a step later.", TORCH,
         "test_elsewhere::test_asgd_of_torch_follows_a_rate_a_step_later"),
        ("torch computes a and never uses it; average=True makes it the weights to evaluate. "
         "a is not p from step t0 + 3 on.",
         "test_elsewhere::test_asgd_evaluates_the_average_that_torch_only_computes"),
    ),
    "dadapt_adamw": (
        ("as in optax, the variant with inner products,", OPTAX_BLOCKS),
        ("and as the authors' DAdaptAdam with use_bias_correction=True;", AUTHORS),
        ("their default does not correct e for the zero start of m and v.",
         "test_elsewhere::test_dadapt_of_its_authors_does_not_correct", DEFAULTS),
    ),
    "dog": (("as in optax.", OPTAX_BLOCKS),),
    "lamb": (
        ("as in optax the ratio is not bounded; the paper bounds ||p||,",
         OPTAX_BLOCKS, "test_elsewhere::test_lamb_bounds_no_ratio"),
        ("and some implementations leave out the correction of m and v.",
         "test_elsewhere::test_lamb_elsewhere_is_not_corrected"),
    ),
    "laprop": (
        ("the paper's code keeps lr inside m, which differs where the rate changes,",
         AUTHORS, "test_deviations::test_laprop_of_its_authors_keeps_lr_inside"),
        ("and decays by weight_decay * p without lr.",
         "test_deviations::test_laprop_decays_with_lr_and_its_code_without"),
    ),
    "lars": (
        ("as in the paper and optax the rate is inside the velocity.",
         "test_elsewhere::test_lars_of_optax_keeps_lr_inside_too"),
        ("The paper's authors leave biases out of the scaling, optax and this do not.",
         OPTAX_BLOCKS, "test_deviations::test_lars_scales_biases_too"),
    ),
    "lion": (
        ("optax decays by 1e-3 unless told otherwise; Keras starts at lr 1e-3.",
         DEFAULTS, OUR_DEFAULTS),
    ),
    "madgrad": (
        ("optax takes the square root of t in float32, 1e-8 off.", RESTATED,
         "test_elsewhere::test_madgrad_of_optax_takes_a_root_in_float32"),
    ),
    "novograd": (("as in optax, which has no lr of its own.", OPTAX_BLOCKS, DEFAULTS),),
    "prodigy": (
        ("as the authors' code;", AUTHORS, DEFAULTS),
        ("optax always corrects e for the zero start of m and v, which here is "
         "use_bias_correction=True.",
         OPTAX_BLOCKS, "test_elsewhere::test_prodigy_of_optax_always_corrects"),
    ),
    "qhadam": (
        ("the paper's code has Adam's betas and nu1 = nu2 = 1 as defaults;",
         DEFAULTS, OUR_DEFAULTS, AUTHORS),
        ("pytorch_optimizer 3.9 adds 1 - beta2 * g² to v, in which it differs from the paper, 4.1 "
         "no longer.", "test_elsewhere::test_qhadam_of_pytorch_optimizer_was_wrong"),
    ),
    "radam": (
        ("torch divides from rho > 5 on, as here, optax from 5 on, the paper from > 4;", TORCH,
         "test_elsewhere::test_radam_of_optax_divides_where_rho_is_5",
         "test_deviations::test_radam_waits_longer_than_in_the_paper"),
        ("optax adds eps to the corrected root, torch and this to the uncorrected one.",
         "test_elsewhere::test_radam_of_optax_adds_eps_to_the_corrected_root", TORCH),
    ),
    "rprop": (
        ("torch and optax keep the step itself, so that lr is where it starts and nothing else;",
         "test_elsewhere::test_rprop_of_torch_keeps_the_first_rate"),
        ("here it is kept in units of lr, so that a schedule of the rate acts on it.",
         "test_deviations::test_rprop_follows_a_rate_that_changes_and_torch_does_not"),
        ("At a constant rate that is the same but for rounding.", TORCH),
        ("optax makes a step only after the next gradient, and leaves it out where that has "
         "another sign.", "test_deviations::test_rprop_of_optax_steps_one_step_later"),
    ),
    "schedule_free_adamw": SCHEDULE_FREE,
    "schedule_free_sgd": SCHEDULE_FREE,
    "yogi": (
        ("the paper's recurrence has no correction of m and v; optax, and this, have it.",
         OPTAX, "test_deviations::test_yogi_corrects_its_averages_and_the_paper_does_not"),
    ),
    "adafactor": (
        ("as in torch and Keras;", AUTHORS, "test_elsewhere::test_adafactor_elsewhere"),
        ("optax factors no matrix with a side below 128 and bounds the rate by no rho.",
         "test_elsewhere::test_adafactor_elsewhere"),
    ),
    "muon": (
        ("as in torch, but X in the network's float and not in bfloat16;",
         AUTHORS, "tests/test_matrix_optimizers::test_live_muon"),
        ("Keras scales as match_rms_adamw does; optax corrects momentum and gradient for the zero "
         "start.", "test_elsewhere::test_muon_elsewhere"),
    ),
    "shampoo": (
        ("the paper's Algorithm 1; Distributed Shampoo averages L and R and grafts the size of "
         "another optimizer's step onto this direction.",
         AUTHORS, "tests/test_matrix_optimizers::test_shampoo_restated"),
    ),
    "soap": (
        ("as the authors' code, where a vector's first gradient makes no step either.", AUTHORS,
         "tests/test_matrix_optimizers::test_soap_steps_with_vectors_from_the_first_gradient_on"),
    ),
    "lbfgs": (
        ("SciPy's L-BFGS-B, as in scikit-learn;",
         "tests/test_matrix_optimizers::test_lbfgs_makes_the_iterations_of_scipy"),
        ("torch's LBFGS makes max_iter iterations in a step, without a line search unless it is "
         "asked for.", DEFAULTS),
    ),
}  # fmt: skip


@cache
def module(path):
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), HERE / f"{path}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def compared(path):
    return {case[0] for case in module(path).CASES}


# Tests of many rules: whom they are about.
ABOUT = {
    TORCH: lambda: compared("golden/cases"),
    OPTAX: lambda: compared("golden/optax_cases"),
    OPTAX_BLOCKS: lambda: compared("golden/blocks/cases"),
    AUTHORS: lambda: compared("golden/official/cases"),
    RESTATED: lambda: {name for name, *_ in module("test_rules_optax").RESTATED},
    DEFAULTS: lambda: marked("test_elsewhere", "test_defaults_elsewhere"),
    OUR_DEFAULTS: lambda: marked("test_deviations", "test_defaults_that_differ"),
}


def marked(path, function):
    (mark,) = getattr(module(path), function).pytestmark
    return {values[0] for values in mark.args[1]}


@cache
def functions(file):
    """The names of all functions of a file with tests."""
    folder = HERE.parent if file.startswith("tests/") else HERE
    tree = ast.parse((folder / f"{file.removeprefix('tests/')}.py").read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", catalogue.names())
def test_every_deviation_is_pinned(name):
    claims = PINS.get(name, ())
    said = catalogue.deviations(catalogue.rule_of(name))
    assert " ".join(claim for claim, *_ in claims) == said
    for claim, *tests in claims:
        assert tests, claim
        for test in tests:
            file, _, function = test.partition("::")
            assert function in functions(file), f"{test}, which shall pin “{claim}”"
            assert name in ABOUT.get(test, lambda: PINS)(), f"{test} is not about {name}"


def test_no_pin_is_left_over():
    assert set(PINS) <= set(catalogue.names())
