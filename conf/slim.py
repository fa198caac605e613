"""A plugin of Nuitka: the one file unpacks itself at each start, and is made so that this costs little.

What was compiled loses what nobody looks up, before it is packed: symbols that no loader asks for are a fifth of the
folder. Packed it is by what is unpacked soonest.
"""

import subprocess
from pathlib import Path

from nuitka.plugins.PluginBase import NuitkaPluginBase
from nuitka.tools.onefile_compressor import OnefileCompressor

LEVEL = 3
"""Of zstandard. Nuitka's own choice, 22, takes a fifth off the file, and unpacking it half as long again."""


class Slim(NuitkaPluginBase):  # type: ignore[misc]
    """Called by Nuitka once the folder is complete."""

    plugin_name = "slim"
    plugin_desc = "Strip the folder before it is packed."

    def onStandaloneDistributionFinished(self, dist_dir: str) -> None:  # noqa: N802  Nuitka's name
        """Strip all there is, as the package and the snap have it, too."""
        libraries = sorted(path for path in Path(dist_dir).rglob("*") if ".so" in path.suffixes)
        subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)
        OnefileCompressor.getCompressorLevel = lambda _low_memory: LEVEL
