"""`probes cache ls | verify | rm | export`."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from probes.cli.script import FAILED
from probes.errors import CacheError, ConfigError, list_names

cache_app = typer.Typer(help="The caches of hidden states on this machine.", no_args_is_help=True)

Names = Annotated[list[str], typer.Argument(help="Names as `probes cache ls` shows them.")]


@cache_app.command("ls")
def cache_ls() -> None:
    """List the caches with their sizes and the days since each was last used, the unfinished ones too."""
    from probes.cache import (
        caches_folder,
        days_unused,
        folder_bytes,
        inspect_cache,
        is_held,
        list_caches,
        list_unfinished,
        working_name,
    )

    total = 0
    for folder in list_caches():
        total += (num_bytes := folder_bytes(folder))
        try:
            cache = inspect_cache(folder)
            rows = sum(size.rows for size in cache.manifest.splits.values())
            what = f"{rows:>9} {cache.manifest.unit}s  {len(cache.layers):>2} layers  {cache.manifest.corpus}"
            print(f"{num_bytes / 1e6:>9.1f} MB  {days_unused(folder):>4.0f} d  {what}  {folder.name}")
        except CacheError as error:
            print(f"{num_bytes / 1e6:>9.1f} MB  cannot be used  {folder.name}: {error}")
    for working in list_unfinished():
        total += (num_bytes := folder_bytes(working))
        name = working_name(working)
        is_left = (caches_folder() / name).is_dir()
        idle = "left over: its cache is there" if is_left else "unfinished: encode again to go on"
        state = "is being made" if is_held(caches_folder() / name) else idle
        print(f"{num_bytes / 1e6:>9.1f} MB  {days_unused(working):>4.0f} d  {state}  {name}")
    print(f"{total / 1e6:.1f} MB in {caches_folder()}")


@cache_app.command("verify")
def cache_verify(names: Names = []) -> None:  # noqa: B006 - typer reads the default, nobody changes it
    """Check every byte of the named caches, or of all; the exit code is 1 if one is damaged."""
    from probes.cache import verify_cache

    damaged = 0
    for folder in _chosen(names):
        faults = verify_cache(folder)
        damaged += bool(faults)
        print("\n".join([f"{'damaged' if faults else 'whole'}  {folder.name}", *(f"  {fault}" for fault in faults)]))
    if damaged:
        sys.exit(FAILED)


@cache_app.command("rm")
def cache_rm(
    names: Names = [],  # noqa: B006 - typer reads the default, nobody changes it
    unused: Annotated[bool, typer.Option("--unused", help="Remove what was not used for --days days.")] = False,
    days: Annotated[float, typer.Option(min=0, help="Days after which a cache counts as unused.")] = 30,
) -> None:
    """Remove caches by name, or those that are unused, unfinished ones too; what is being made stays."""
    from probes.cache import (
        caches_folder,
        days_unused,
        list_caches,
        list_unfinished,
        remove_cache,
        try_lock,
        working_name,
    )

    if bool(names) == unused:
        raise ConfigError("`probes cache rm` takes names or --unused, and one of them. See both with: probes cache ls")
    # A cache and the leftovers of making it may have one name; both go.
    folders = [*list_caches(), *list_unfinished()]
    known = _known(names, {working_name(folder) for folder in folders})
    old = [folder for folder in folders if working_name(folder) in known or (unused and days_unused(folder) >= days)]
    for folder in old:
        lock = try_lock(caches_folder() / working_name(folder))
        if lock is None:
            print(f"kept     {working_name(folder)}: it is being made")
            continue
        try:
            remove_cache(folder)
        finally:
            lock.release()
        print(f"removed  {working_name(folder)}")


@cache_app.command("export")
def cache_export(
    name: Annotated[str, typer.Argument(help="Name as `probes cache ls` shows it.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="Folder to write to.", show_default=False)],
    form: Annotated[str, typer.Option("--form", help="neurox, structural-probes or parquet.")] = "parquet",
) -> None:
    """Write a cache as files of other tools, one a split."""
    from probes.cache import export_cache, open_cache

    (folder,) = _chosen([name])
    print("\n".join(map(str, export_cache(open_cache(folder), to, form))))  # type: ignore[arg-type] - it checks


def _chosen(names: list[str]) -> list[Path]:
    from probes.cache import list_caches

    folders = {folder.name: folder for folder in list_caches()}
    return [folders[name] for name in _known(names, folders)] if names else list(folders.values())


def _known(names: list[str], caches: Iterable[str]) -> list[str]:
    for name in names:
        if name not in caches:
            raise ConfigError(
                f"There is no cache {name!r}; the caches are: {list_names(name, caches)}. "
                f"See them with: probes cache ls"
            )
    return names
