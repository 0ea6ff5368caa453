# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab image``: build a guest image, lock what it is made from."""

from __future__ import annotations

import click

from lab.config import DEFAULT_IMAGE, Config

image_option = click.option(
    "--image", default=DEFAULT_IMAGE, show_default=True, help="Guest image, a file in images/."
)


@click.group(name="image", invoke_without_command=True)
@image_option
@click.pass_context
def image_group(context: click.Context, image: str) -> None:
    """Build the guest image (if it is not there) and say where it is."""
    # `image --image X build` means the same as `image build --image X`.
    context.default_map = {name: {"image": image} for name in image_group.commands}
    if context.invoked_subcommand is None:
        _build(image, locked=False)


@image_group.command()
@image_option
@click.option(
    "--locked",
    is_flag=True,
    help="From exactly the packages of images/IMAGE.lock, or fail and say which are gone. Needs no "
    "network once they are in the cache.",
)
def build(image: str, locked: bool) -> None:
    """Build the guest image: as locked if that is still possible, else with what there is."""
    _build(image, locked=locked)


@image_group.command()
@image_option
def lock(image: str) -> None:
    """Write images/IMAGE.lock: what the mirror has today. Prints what changed.

    So it does for systems/NAME, a Debian that is installed rather than unpacked.
    """
    from lab.image.selection import refresh  # noqa: PLC0415 (keeps --help fast)
    from lab.image.spec import load_image_spec  # noqa: PLC0415
    from lab.progress import Progress  # noqa: PLC0415
    from lab.run import note_on  # noqa: PLC0415
    from lab.system.spec import DIRECTORY, load_system_spec  # noqa: PLC0415

    config = Config.from_environment()
    load = load_system_spec if image.startswith(f"{DIRECTORY}/") else load_image_spec
    spec = load(config.source, image)
    with Progress().stage(f"Lock {image}") as stage:
        changed = refresh(config, spec, note_on(stage))
        stage.note = f"{len(changed)} packages changed"
    for change in changed:
        click.echo(change)


def _build(name: str, *, locked: bool) -> None:
    from lab.image.build import ensure_image  # noqa: PLC0415 (keeps --help fast)
    from lab.image.spec import load_image_spec  # noqa: PLC0415
    from lab.progress import Progress  # noqa: PLC0415
    from lab.run import note_on  # noqa: PLC0415

    config = Config.from_environment()
    spec = load_image_spec(config.source, name)
    with Progress().stage(f"Guest image {name}") as stage:
        image = ensure_image(config, spec, note_on(stage), locked=locked)
        stage.note = image.summary
    click.echo(f"digest     {image.digest}")
    click.echo(f"kernel     {image.kernel}")
    click.echo(f"initramfs  {image.initramfs}")
    click.echo(f"packages   {image.manifest}")
