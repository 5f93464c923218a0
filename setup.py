"""Builds the native library with CMake and ships it in a wheel that fits every Python 3 of the platform."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent.resolve()


class BuildWithCMake(build_ext):
    def get_ext_filename(self, fullname):
        # no Python version in the name; as CMakeLists.txt and snn_ops/library.py have it
        name = {"win32": "onnx_snn.dll", "darwin": "libonnx_snn.dylib"}.get(sys.platform, "libonnx_snn.so")
        return str(Path(*fullname.split(".")[:-1], name))

    def build_extension(self, ext):
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        # each with the CMake cache of its own: a checkout may build for one GPU, a wheel is for all
        build = ROOT / "build" / ("cmake-editable" if self.editable_mode else "cmake-wheel")
        arguments = os.environ.get("CMAKE_ARGS", "").split()
        subprocess.run(["cmake", "-S", ROOT, "-B", build, *arguments], check=True)
        subprocess.run(["cmake", "--build", build, "--parallel"], check=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(build / target.name, target)


class PlatformWheel(bdist_wheel):
    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


setup(
    ext_modules=[Extension("snn_ops.libonnx_snn", sources=[])],
    cmdclass={"build_ext": BuildWithCMake, "bdist_wheel": PlatformWheel},
)
