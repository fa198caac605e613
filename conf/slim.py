"""A plugin of Nuitka: what was compiled loses what nobody looks up, before it is packed into one file.

Symbols that no loader asks for are a fifth of the folder, and the one file unpacks itself at each start.
"""

import subprocess
from pathlib import Path

from nuitka.plugins.PluginBase import NuitkaPluginBase


class Slim(NuitkaPluginBase):  # type: ignore[misc]
    """Called by Nuitka once the folder is complete."""

    plugin_name = "slim"
    plugin_desc = "Strip the folder before it is packed."

    def onStandaloneDistributionFinished(self, dist_dir: str) -> None:  # noqa: N802  Nuitka's name
        """Strip all there is, as the package and the snap have it, too."""
        libraries = sorted(path for path in Path(dist_dir).rglob("*") if ".so" in path.suffixes)
        subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)
