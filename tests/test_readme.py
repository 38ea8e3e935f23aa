"""What README says runs as it stands there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_the_ten_lines_run(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert "maximize: optimal (" in capsys.readouterr().out


def test_every_linked_file_exists():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_two_commands_are_there_once():
    commands = re.findall(r"^    (python3 -m venv .*)$", README, re.MULTILINE)
    assert [
        bool(re.search(end, c)) for c, end in zip(commands, ["icnn demo$", "pytest$"], strict=True)
    ]
    assert all("-c constraints.txt" in command for command in commands)
