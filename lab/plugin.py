# SPDX-License-Identifier: BSD-2-Clause
"""The pytest plugin: a test names the machine state it needs and gets it.

    def test_mine(module_loaded, guest):
        assert guest.run("/lab/hello").status == 0

``lab`` (session) is the engine, the image and the machines; ``guest`` is a login on a booted one;
``module_loaded`` is that with dune.ko in the kernel, which must also unload afterwards; ``host`` is
pytest-testinfra's view of the guest. Every test that takes a guest runs under each boot profile of
``--lab-profile``. A test during which the guest's kernel warned fails, whatever it asserted.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from lab.options import add_options, option

if TYPE_CHECKING:
    from testinfra.host import Host

    from lab.guest import Guest
    from lab.machines import Machines

MARKERS = (
    "lab_requires(vendor): skip, saying why, unless the engine has it: 'svm' or 'vmx'",
    "lab_profile(name, ...): run under these boot profiles only",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ``--lab-*`` options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and ``host`` after pytest-testinfra so that ours is the one found."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(HostFixture(), "dbos_lab_host")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what the results will be worth: engine, vendor, kernel, image."""
    from lab.machines import describe  # noqa: PLC0415 (heavy imports only where they are needed)

    return [f"lab: {describe(config)}"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that needs a guest once per boot profile, with an id that says so."""
    if "lab_profile" not in metafunc.fixturenames:
        return
    names = option(metafunc.config, "profile").split(",")
    marker = metafunc.definition.get_closest_marker("lab_profile")
    if marker is not None:
        names = [name for name in names if name in marker.args]
    metafunc.parametrize("lab_profile", names, scope="session", indirect=True)


@pytest.fixture(scope="session")
def lab_profile(request: pytest.FixtureRequest) -> str:
    """Name of the boot profile this test runs under."""
    return str(request.param)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Machines]:
    """The engine, the image, and machines by profile, started at first use."""
    from lab.machines import open_machines  # noqa: PLC0415

    with open_machines(request.config) as machines:
        yield machines


@pytest.fixture
def guest(lab: Machines, lab_profile: str, request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A login on a booted machine of this profile, with the artefacts in ``/lab``.

    The machine is shared by the tests of its profile; one that died is replaced.
    """
    from lab.machines import kernel_complaints, skip_unless  # noqa: PLC0415

    skip_unless(request, lab)
    booted = lab.booted_once(lab_profile)
    booted.machine.claim(request.node.nodeid)
    before = booted.guest.kernel_log()
    yield booted.guest
    if booted.machine.alive:
        complaints = kernel_complaints(before, booted.guest.kernel_log())
        if complaints:
            booted.machine.keep(f"{request.node.nodeid}: the kernel complained")
            pytest.fail("the guest's kernel complained:\n" + complaints, pytrace=False)


@pytest.fixture
def module_loaded(guest: Guest) -> Iterator[Guest]:
    """The guest with dune.ko loaded; unloading it afterwards must work."""
    from lab.deploy import MODULE, load_module, unload_module  # noqa: PLC0415

    load_module(guest, MODULE)
    yield guest
    if guest.machine.alive:
        unload_module(guest, MODULE)


class HostFixture:
    """Holds the one fixture that has to be registered late."""

    @pytest.fixture
    def host(self, guest: Guest) -> Host:
        """The guest as pytest-testinfra sees it, over the lab's own connection."""
        from lab.testinfra_backend import host_of  # noqa: PLC0415

        return host_of(guest)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what a failure leaves behind: the end of the console and where all of it is kept."""
    from lab.guest import Guest  # noqa: PLC0415
    from lab.machine.boot import save_kernel_log  # noqa: PLC0415

    report = yield
    guest = getattr(item, "funcargs", {}).get("guest")
    if report.failed and isinstance(guest, Guest):  # other people's fixtures have that name too
        machine = guest.machine
        machine.keep(f"{item.nodeid} failed")
        save_kernel_log(machine, guest)
        report.sections.append(("guest console", machine.console.tail()))
        report.sections.append(("kept", str(machine.directory)))
    return report
