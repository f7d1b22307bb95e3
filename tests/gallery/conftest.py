import html
import json
import os
import re
import shutil
import subprocess

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def in_browser(tmp_path_factory):
    """in_browser(page, script) -> what the script returned after the page had loaded.

    A console message of a level above info, or a request for anything else, is a failure.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium, and .ci/run should have installed it")
        pytest.skip("no Chromium here: apt-get install chromium")
    profile = tmp_path_factory.mktemp("browser")

    def run(page, script, size="1280,900"):
        wrapped = (
            "<script>addEventListener('load', () => { const out = document.createElement('pre');"
            "out.id = 'answer'; let found; try { found = (() => {" + script + "})(); }"
            "catch (error) { found = {error: String(error)}; }"
            "out.textContent = JSON.stringify(found); document.body.append(out); });</script>"
        )
        tried = profile / "page.html"
        tried.write_text(page.replace("</body>", wrapped + "</body>"), "utf-8")
        command = [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            "--no-first-run", "--disable-dev-shm-usage", f"--user-data-dir={profile}/profile",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--window-size={size}", "--dump-dom",
            tried.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=90)
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        assert not said, said
        found = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.DOTALL)
        assert found, done.stderr[-2000:]
        answer = json.loads(html.unescape(found.group(1)))
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    return run
