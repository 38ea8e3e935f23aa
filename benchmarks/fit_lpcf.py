"""Convex functions with parameters, after LPCF (arXiv 2506.04183): `lpcf` itself beside ours."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import icnn
from benchmarks.log import Log
from benchmarks.lpcf_problems import PROBLEMS, Problem, r2
from benchmarks.report import write
from icnn.models import HyperICNN

NAME, SEEDS, INTERPRETER, THEIR_SEEDS = "fit-lpcf", range(3), "ICNN_LPCF_PYTHON", 10
PEER = Path(__file__).with_name("lpcf_peer.py")
QUIET = {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
}
