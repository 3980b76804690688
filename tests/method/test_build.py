"""Methods by name: ours, those of installed packages, and their settings."""

import json

import pytest

from probes.config import MethodConfig, Settings, describe
from probes.errors import ConfigError
from probes.method import METHODS, Findings, Method, check_method, find_method
from probes.result import Finding, Panel
from tests.fit.conftest import make_states
from tests.method.subjects import make_subject
from tests.toy import call_probes


class CountSettings(Settings):
    """Settings of a method of one's own."""

    factor: int = 1
    """What each count is multiplied with."""


def count(subject, settings: CountSettings) -> Findings:
    size = settings.factor * len(subject.task.splits["test"])
    row = Finding(variant="task", metric="size", layer=0, value=size, n=size, groups=1)
    return Findings((row,), (Panel(metric="size", title="examples"),))


OWN = Method(CountSettings, count)


@pytest.fixture
def offered(monkeypatch):
    class Point:
        name = "count"

        @staticmethod
        def load():
            return OWN

    found = {"probes.methods": [Point()]}
    monkeypatch.setattr("probes.method.build.entry_points", lambda group: found.get(group, []))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_where_its_name_says_and_its_settings_are_listed(name, capsys):
    method = find_method(name)
    assert issubclass(method.settings, Settings)
    assert call_probes("settings", "--method", name) == 0
    out = capsys.readouterr().out
    for key, _, default in describe(method.settings, "method.options."):
        given = "needed" if default is ... else f"default: {json.dumps(default)}"
        assert f"{key}  ({given})\n" in out
    assert all(text for _, text, _ in describe(method.settings))


def test_method_of_an_installed_package_is_found_with_its_settings(offered, tmp_path):
    states = make_states()
    labels = {split: [0, 1] * (part.shape[1] // 2) for split, part in states.items()}
    method, settings = check_method(MethodConfig(name="count", options={"factor": 2}))
    findings = method.apply(make_subject(tmp_path, states, labels), settings)
    assert findings.rows[0].value == 2 * 600


def test_unknown_method_names_the_known_with_those_of_packages(offered):
    with pytest.raises(ConfigError) as error:
        find_method("cuont")
    assert str(error.value).startswith("Unknown method 'cuont'. Known methods are 'count', ")
    assert str(error.value).endswith("Choose one of these, or offer your own as an entry point 'probes.methods'.")
