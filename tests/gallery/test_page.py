"""The interactive page: its own arithmetic against the kernels, in a browser."""

import inspect
import json
import re
from contextlib import suppress

import numpy as np
import pytest

import minitrain as mt
from minitrain.gallery import javascript, page, style, surfaces, walks

LARGEST = 400_000  # bytes


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return page.write_page(tmp_path_factory.mktemp("page") / "page.html").read_text("utf-8")


def test_no_request_and_small(text):
    assert len(text.encode()) < LARGEST
    without_data = text.replace('href="data:,"', "")
    assert not re.search(r"(src|href)=|https?://|@import|url\(|fetch\(|XMLHttp", without_data)


def translatable():
    """All rules for one element; those with norms or averages have no counterpart on the page."""
    found = []
    for name in mt.optimizers.names():
        with suppress(javascript.NotTranslatable):
            javascript.optimizer_source(mt.optimizers.get(name))
            found.append(name)
    assert set(style.STYLES) <= set(found)
    return found


def test_walks_equal_the_kernels(tmp_path, in_browser):
    """Every rule on every surface, 60 steps.  Two correctly rounded libraries differ by an ulp in
    exp and pow, which a walk down a valley keeps small: rates are a tenth of the tuned ones."""
    rules, cases = translatable(), []
    text = page.write_page(tmp_path / "all.html", rules).read_text("utf-8")
    for name in surfaces.names():
        for optimizer in rules:
            few = walks.RATES[::5]  # a rate near the best will do
            rate = walks.tune(name, optimizer, steps=60, rates=few).optimizer.lr / 10
            cases.append((name, optimizer, rate))
    script = (
        f"return {json.dumps(cases)}.map(([s, o, rate]) => {{"
        "const surface = SURFACES.find((x) => x.name === s);"
        "const rule = OPTIMIZERS.find((x) => x.name === o);"
        "const w = walk(surface, rule, rate, rule.hyper, surface.start, 60);"
        "return [Array.from(w.path), Array.from(w.loss)]; });"
    )
    for (name, optimizer, rate), (path, loss) in zip(cases, in_browser(text, script), strict=True):
        ours = walks.walk(name, mt.optimizers.get(optimizer, lr=rate), steps=60)
        assert np.abs(ours.path[-1] - ours.path[0]).max() > 1e-6  # it did walk
        # Rules of signs (Rprop, Lion …) jump where a slope passes zero: there an ulp decides.
        jumps = "sign" in inspect.getsource(ours.optimizer.variant.update)
        near = np.abs(ours.gradient).min(axis=1) < 1e-3 * np.abs(ours.gradient[0]).max()
        until = int(np.argmax(near)) if jumps and near.any() else 61
        theirs, what = np.reshape(path, (61, 2))[:until], f"{optimizer} on {name}"
        np.testing.assert_allclose(theirs, ours.path[:until], rtol=1e-10, atol=1e-10, err_msg=what)
        np.testing.assert_allclose(loss[:until], ours.loss[:until], rtol=1e-9, atol=1e-10)


def test_best_rates_are_the_ones_of_python(text, in_browser):
    found = in_browser(text, "return OPTIMIZERS.map((o) => [o.name, o.rate]);")
    assert len(found) == len(style.STYLES)
    for name, rate in found:
        assert rate == pytest.approx(walks.tune("ravine", name).optimizer.lr), name


def test_controls(text, in_browser):
    """Keyboard, click, scrub and choice of surface do what they say."""
    answer = in_browser(
        text,
        """
        const key = (k, on) => (on || document.body).dispatchEvent(
          new KeyboardEvent('keydown', {key: k, bubbles: true, cancelable: true}));
        const found = {};
        key('Home'); found.home = state.at;
        key('ArrowRight'); key('ArrowRight'); key('ArrowLeft'); found.stepped = state.at;
        key('End'); found.end = state.at;
        const before = state.start[0];
        key('ArrowRight', map); found.moved = state.start[0] - before;
        const r = map.getBoundingClientRect();
        map.setPointerCapture = () => {};
        map.dispatchEvent(new PointerEvent('pointerdown', {clientX: r.left + r.width / 2,
          clientY: r.top + r.height / 4, pointerId: 1, pointerType: 'touch'}));
        found.clicked = state.start;
        document.getElementById('scrub').value = 7;
        document.getElementById('scrub').oninput({target: document.getElementById('scrub')});
        found.scrubbed = state.at;
        document.querySelector('[data-curve=rate]').click(); found.curve = state.curve;
        key(' '); found.playing = state.playing; key(' ');
        document.getElementById('none').click(); found.none = active().length;
        document.getElementById('all').click();
        document.getElementById('surface').value = 'beale';
        document.getElementById('surface').onchange({target: document.getElementById('surface')});
        found.surface = state.surface.name; found.formula =
          document.getElementById('formula').textContent;
        found.print = document.getElementById('print').textContent;
        found.overflow = document.documentElement.scrollWidth - innerWidth;
        return found;
        """,
        size="500,900",
    )
    assert (answer["home"], answer["stepped"], answer["end"]) == (0, 1, 30)
    assert answer["moved"] == pytest.approx(20 / 50)
    assert answer["clicked"] == pytest.approx([0, 2.5], abs=0.05)
    assert (answer["scrubbed"], answer["curve"], answer["none"]) == (7, "rate", 0)
    assert answer["playing"] is True
    assert answer["surface"] == "beale"
    assert answer["formula"] == surfaces.get("beale").formula
    assert "NAdam(lr=" in answer["print"]
    assert "best of 51" in answer["print"]
    assert answer["overflow"] <= 0


def test_a_frame_leaves_nothing_of_the_last_one(text, in_browser):
    """What moved is painted away piece by piece: the same picture as one painted from nothing."""
    shares = in_browser(
        text,
        """
        document.getElementById('none').click();
        OPTIMIZERS.find((o) => o.name === 'momentum').tick.click();
        const pixels = () => {
          const copy = document.createElement('canvas');
          copy.width = map.width; copy.height = map.height;
          const c = copy.getContext('2d', {willReadFrequently: true});
          c.drawImage(map, 0, 0);
          return c.getImageData(0, 0, map.width, map.height).data;
        };
        const differ = (a, b) => {
          let n = 0;
          for (let i = 0; i < a.length; i += 4) n += Math.abs(a[i] - b[i]) > 60;
          return n;
        };
        const found = [];
        for (const name of ['ravine', 'rosenbrock', 'rastrigin']) {
          setSurface(SURFACES.find((s) => s.name === name));
          const blank = pixels();
          for (let at = 0; at <= 20.5; at += 0.3) { state.at = at; drawMap(); }
          const played = pixels();
          staleMap(); drawMap();
          const whole = pixels();
          found.push([differ(played, whole), differ(whole, blank)]);
        }
        return found;
        """,
    )
    for ghosts, drawn in shares:
        assert drawn > 100  # pixels: there is a way to be seen
        assert ghosts < 0.03 * drawn  # joints of a line that was drawn in pieces


def test_a_page_without_room_is_no_error(text, in_browser):
    """A browser may run the script before it has laid the page out: canvases of no size."""
    sizes = in_browser(
        text,
        "for (const c of [map, chart]) c.style.cssText = 'width: 0; height: 0; border: 0';"
        "const clear = map.clientWidth; compute(); go(3); return [clear, map.width, chart.width];",
    )
    assert sizes == [0, 1, 1]


def test_a_rule_of_ones_own(own_registry, in_browser, tmp_path):
    @mt.rule("halving", lr=0.1, beta=0.5)
    def update(p, g, v, c):
        (beta,) = c
        v = beta * v + abs(g) * np.sign(g)
        return np.where(v > g, np.maximum(v, g), v), v

    text = page.write_page(tmp_path / "own.html", ["halving"], "two_minima").read_text("utf-8")
    path = in_browser(text, "return Array.from(OPTIMIZERS[0].walk.path);")
    ours = walks.tune("two_minima", "halving")
    np.testing.assert_allclose(np.reshape(path, (-1, 2)), ours.path, rtol=1e-9, atol=1e-9)


def test_what_cannot_be_translated_is_named(own_registry, tmp_path):
    @mt.rule("odd", lr=0.1, beta=0.5)
    def update(p, g, c):
        return (np.fft.fft(g),)

    with pytest.raises(ValueError, match=r"'odd'.*np\.fft\.fft"):
        page.write_page(tmp_path / "odd.html", ["odd"])
    with pytest.raises(javascript.NotTranslatable):
        javascript.translate(lambda p: p)
