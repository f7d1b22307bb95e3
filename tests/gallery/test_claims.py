"""The claims: their statistics, what is known beforehand, and their pages."""

import json

import numpy as np
import pytest

from minitrain import cli
from minitrain.gallery import claims
from minitrain.gallery.claims import finding, on_adam, on_momentum, report, training


def test_differences():
    rng = np.random.default_rng(1)
    base = rng.normal(size=30)
    assert finding.difference(base - 1, base).verdict == claims.CONFIRMED
    assert finding.difference(base + 1, base).verdict == claims.CONTRADICTED
    assert finding.difference(base, base).verdict == claims.NOT_SEPARABLE
    assert finding.difference(base, base).wins == 15
    # A run that failed loses, and two that failed tell nothing.
    assert finding.difference([1, 1, 1], [np.inf, np.nan, np.inf]).verdict == claims.CONFIRMED
    assert finding.difference([np.inf] * 3, [np.nan] * 3).mean == 0
    with pytest.raises(ValueError, match="two or more pairs"):
        finding.difference([1], [2])


def test_interval_covers_as_it_says():
    """Noise alone is called a difference about once in twenty times (16 draws per sample)."""
    rng = np.random.default_rng(2)
    verdicts = [finding.difference(*rng.normal(size=(2, 16))).verdict for _ in range(200)]
    assert sum(v != claims.NOT_SEPARABLE for v in verdicts) < 30  # 95 % of 200: 10 ± 8, bootstrap +


def test_overshoot_of_the_recurrence():
    """Continuous limit: exp(−πζ/√(1−ζ²)); and no overshoot where it is overdamped."""
    assert on_momentum._exact_overshoot(0.01, 0.9) == pytest.approx(0.153, abs=0.001)
    assert on_momentum._exact_overshoot(0.001, 0.5) == pytest.approx(0, abs=1e-12)


def test_uncorrected_adam_is_the_textbook_without_two_lines():
    made = on_adam.without_correction().replace(lr=0.01)
    p = np.array([1.0, -2.0])
    state, m, v, ours = made.init(p), 0, 0, p.copy()
    for t in range(5):
        g = np.array([0.3, -0.1]) * (t + 1)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        ours = ours - 0.01 * m / (np.sqrt(v) + 1e-8)
        made.step(p, g, state)
    np.testing.assert_allclose(p, ours, rtol=1e-12)
    from minitrain import optimizers

    assert "uncorrected" not in optimizers.names()


def test_steps_by_hand_are_those_of_the_trainer():
    """What is looked at step by step is the same training, in float64, as the compiled epoch's."""
    import minitrain as mt

    setting = training.Setting(dataset="iris", hidden=(8,), epochs=2)
    adam = mt.optimizers.Adam(lr=0.01)
    model, loader = setting.model(3, "float64"), setting.loader(3)
    mt.Trainer(model, adam).fit(loader, 2)
    train = setting.parts(3)[0]
    seen = training.by_steps(setting, adam, 3, 2 * len(loader))
    assert seen.loss[-1] + seen.change[-1] == pytest.approx(
        model.evaluate(train.X, train.y)[0], rel=1e-9
    )
    sgd = training.by_steps(setting, mt.optimizers.SGD(lr=0.25), 3, 5)
    np.testing.assert_allclose(sgd.effective_rate, 0.25, rtol=1e-6)


def test_tuning_takes_the_best_rate():
    import minitrain as mt

    setting = training.Setting(dataset="iris", hidden=(8,), epochs=2)
    found = training.tuned(setting, "sgd")

    def score(lr):
        runs = [training.run(setting, mt.optimizers.SGD(lr=lr), s) for s in training.TUNING_SEEDS]
        return np.mean([r.validation[-1] for r in runs])

    assert score(found.lr) == min(score(lr) for lr in training.RATES)


@pytest.fixture(scope="module")
def found():
    return list(claims.run(2, ["mini_batches", "overshoot"]))


def test_what_must_come_out(found):
    mini, over = found
    assert [p.verdict for p in mini.parts][:1] == [claims.CONFIRMED]
    ravine = over.parts[0]
    assert ravine.verdict == claims.CONFIRMED
    assert ravine.numbers["momentum"] == pytest.approx(ravine.numbers["exact"], abs=0.002)
    for one in found:
        for word in ("seeds 0–1", "lr", "best of 17"):
            assert word in one.setup


def test_pages(found, tmp_path, in_browser):
    report.write(found, tmp_path, "minitrain claims")
    page = (tmp_path / "claims.html").read_text("utf-8")
    seen = in_browser(
        page,
        "const before = document.body.innerText; document.querySelector('button').click();"
        "return [before, document.body.innerText, document.images.length,"
        "[...document.images].every((i) => i.naturalWidth > 300),"
        "document.documentElement.scrollWidth - innerWidth];",
        size="500,900",
    )
    assert found[0].claim[0] in seen[0]
    assert found[0].claim[1] not in seen[0]
    assert found[0].claim[1] in seen[1]
    assert seen[2:4] == [2, True]
    report.write(found, tmp_path / "ko", "minitrain claims", "ko")
    assert '<html lang="ko">' in (tmp_path / "ko" / "claims.html").read_text("utf-8")
    assert seen[4] <= 0
    for name, language in (("claims.md", 0), ("claims.ko.md", 1)):
        text = (tmp_path / name).read_text("utf-8")
        for one in found:
            assert f"claim_{one.key}.png" in text
            for part in one.parts:
                assert part.measured[language] in text
    assert json.loads((tmp_path / "claims.json").read_text("utf-8"))[1]["key"] == "overshoot"


def test_the_seven_claims_come_first(found):
    """In the order of the introductions; a single one keeps its number."""
    seven = ["mini_batches", "saddle", "overshoot", "adagrad", "rmsprop", "adam", "defaults"]
    assert claims.names()[:7] == seven
    assert [one.number for one in found] == [1, 3]


def test_momentum_is_as_fast_as_the_closed_form_says():
    (one,) = claims.run(2, ["ravine"])
    zigzag, _, _, rate, _ = one.parts
    assert zigzag.numbers["lr 0.95"] == 30  # 1 - 0.95 · 2 < 0: every step changes the side
    assert zigzag.numbers["lr 0.1"] == 0
    assert rate.numbers["momentum"] == pytest.approx((50**0.5 - 1) / (50**0.5 + 1), rel=0.01)
    assert rate.verdict == claims.CONFIRMED


def test_variants():
    decay, ahead = claims.run(2, ["adamw", "nadam"])
    same, even, _ = decay.parts
    assert same.numbers["distance"] == 0
    assert abs(even.numbers["adamw"]) < 0.1 < 0.9 < -even.numbers["adam"]
    assert ahead.parts[0].numbers["nadam"] < ahead.parts[0].numbers["adam"]


def test_seeds_share_the_cores_and_keep_their_order():
    assert training.each(lambda seed: seed**2, 5) == [0, 1, 4, 9, 16]
    assert training.each(lambda seed: -seed, (7, 3)) == [-7, -3]


def test_command(capsys, tmp_path):
    assert cli.main(["claims", "--list"]) == 0
    assert capsys.readouterr().out.split() == claims.names()
    assert cli.main(["claims", "overshoot", "--seeds", "2", "--lang", "ko"]) == 0
    assert "확인됨" in capsys.readouterr().out
    assert cli.main(["claims", "overshot"]) == 2
    assert "did you mean overshoot" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert cli.main(["claims", "overshoot", "--out", str(tmp_path / "file")]) == 2
    with pytest.raises(ValueError, match="at least 2"):
        list(claims.run(1))
    with pytest.raises(ValueError, match="unknown 'x'"):
        list(claims.run(2, ["x"]))
