"""The findings as one HTML page and two Markdown pages, in English and Korean."""

import base64
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..pages import environment, render
from ..style import save
from .finding import KOREAN, Finding, Text

HEADING: Text = (
    "What they say of optimizers, and what happens",
    "최적화기에 대해 하는 말과 실제로 일어나는 일",
)
OPENING: Text = (
    "Each claim of the introductions as an experiment on a surface and on real classification. "
    "“confirmed” and “contradicted here” mean that the 95 % interval of the paired difference lies on "
    "one side; “not separable” that it does not, which is no proof of equality. Where nothing is random, the "
    "number decides.",
    "입문서의 주장 하나하나를 곡면과 실제 분류 문제에서 실험했다. “확인됨”과 “여기서는 반대”는 짝지은 차이의 95 % "
    "구간이 한쪽에 있다는 뜻이고, “구별되지 않음”은 그렇지 않다는 뜻이며 같다는 증명은 아니다. "
    "우연이 없는 곳에서는 수치 자체로 판정한다.",
)
CLOSING: Text = (
    "Small networks on small tables of data: nothing here says how large models behave, and no figure "
    "is a ranking; “minitrain compare” makes those.",
    "작은 데이터와 작은 신경망의 결과이다. 큰 모델에 대해서는 아무것도 말하지 않으며, 어떤 그림도 순위가 아니다. "
    "순위는 “minitrain compare”가 매긴다.",
)


def write(
    findings: Sequence[Finding], folder: Path, command: str, language: str = "en"
) -> list[Path]:
    """Write claims.html, claims.md, claims.ko.md, claims.json and a picture per finding.

    ``language``, "en" or "ko", is that in which the HTML page opens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for finding in findings:
        save(finding.figure, folder / f"claim_{finding.key}.png")
    written = {
        "claims.html": _page(findings, folder, command, language),
        "claims.md": _markdown(findings, 0, command),
        "claims.ko.md": _markdown(findings, 1, command),
        "claims.json": json.dumps(as_json(findings), indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in written.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in written]


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Statements, verdicts and numbers."""
    return [
        {
            "key": finding.key,
            "claim": finding.claim[0],
            "setup": finding.setup,
            "parts": [
                {
                    "statement": part.statement[0],
                    "verdict": part.verdict,
                    "measured": part.measured[0],
                    "numbers": part.numbers,
                }
                for part in finding.parts
            ],
        }
        for finding in findings
    ]


def _page(findings: Sequence[Finding], folder: Path, command: str, language: str) -> str:
    pictures = {
        f.key: base64.b64encode((folder / f"claim_{f.key}.png").read_bytes()).decode()
        for f in findings
    }
    return render(
        files(__package__).joinpath("claims.html").read_text("utf-8"),
        heading=HEADING, opening=OPENING, closing=CLOSING, findings=findings, korean=KOREAN,
        pictures=pictures, environment=environment(command), language=language,
    )  # fmt: skip


def _markdown(findings: Sequence[Finding], language: int, command: str) -> str:
    heads = (("Statement", "Verdict", "Measured"), ("주장", "판정", "측정"))[language]
    lines = [
        f"# {HEADING[language]}", "",
        ("[한국어](claims.ko.md)", "[English](claims.md)")[language], "", OPENING[language], "",
    ]  # fmt: skip
    for finding in findings:
        lines += [f"## {finding.number}. {finding.claim[language]}", "", f"| {' | '.join(heads)} |"]
        lines += ["|---|---|---|"]
        for part in finding.parts:
            verdict = (part.verdict, KOREAN[part.verdict])[language]
            cells = (part.statement[language], f"**{verdict}**", part.measured[language])
            lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
        lines += ["", f"![{finding.claim[language]}](claim_{finding.key}.png)", ""]
        lines += [f"<sub>{finding.setup}</sub>", ""]
    return "\n".join([*lines, CLOSING[language], "", f"<sub>{environment(command)}</sub>", ""])
