"""`doctor` as a command; what it looks at is in tests/test_doctor.py."""

from __future__ import annotations

import json
from pathlib import Path

from converter import doctor
from converter.doctor import Diagnosis, Finding


def test_exit_codes_and_json(command, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    broken = Finding("native library", "-", "it does not exist", "build it")
    for findings, code in (([Finding("Python", "3.12")], 0), ([Finding("Python", "3.12"), broken], 1)):
        monkeypatch.setattr("converter.commands.doctor.diagnose", lambda findings=findings: Diagnosis(findings))
        done = command("doctor", "--json", "d.json")
        assert (done.code, done.err) == (code, "")
        assert ("Nothing is wrong." in done.out, "do first:  build it" in done.out) == (not code, bool(code))
        found = json.loads(Path("d.json").read_text())
        assert (found["ok"], found["first"]) == (not code, "build it" if code else None)
    assert command("doctor", "--json", "lost/d.json").err.count("\n") == 1
    assert doctor.WIDTH < 80
