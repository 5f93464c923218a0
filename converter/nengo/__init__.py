"""To Nengo and NengoDL, and back: networks and scripts from a spiking model, spike-by-spike checks, training.

Only `converter.nengo.dl` needs TensorFlow and NengoDL; the rest needs Nengo alone.
"""

from __future__ import annotations

from converter.nengo.export import make_script, write_script
from converter.nengo.network import NengoModel, to_nengo
from converter.nengo.script import Script

__all__ = ["NengoModel", "Script", "make_script", "to_nengo", "write_script"]
